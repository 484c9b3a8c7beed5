#!/bin/sh
# An agent as small as they get: it counts how often its session has been woken, and answers with its prompt.
session=${2:-$$}
echo "session $session"
echo "tokens 1000 20"
echo x >>"memory-$session"
echo "wakeup $(wc -l <"memory-$session") of session $session: $(cat)"

// Whether a property breaks is all that counts here; finding the smallest example would take most of the time.
require('fast-check').configureGlobal({ endOnFailure: true });

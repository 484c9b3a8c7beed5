// A server that speaks MongoDB's wire protocol, for tests: FerretDB on SQLite files in the folder that is its argument.
// It prints its address as one line, and leaves when its standard input ends: it does not outlive who started it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(folder string) error {
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: "127.0.0.1:" + port()},
		Handler:   "sqlite",
		// What is written survives the death of the process, which is what tests bring about; not that of the machine.
		SQLiteURL: "file:" + folder + "/?_pragma=synchronous(normal)",
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println(server.MongoDBURI())
	return server.Run(ctx)
}

// A server that comes back after it was killed has to be where it was.
func port() string {
	if len(os.Args) > 2 {
		return os.Args[2]
	}
	return "0"
}

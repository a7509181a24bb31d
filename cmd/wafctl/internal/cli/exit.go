package cli

import "errors"

// Exit codes.
const (
	ExitClean = 0 // nothing alerts
	ExitAlert = 1 // something alerts
	ExitError = 2 // the command could not do what it was asked
)

// ErrAlert ends a command that found an alert; there is nothing to print about it.
var ErrAlert = errors.New("something alerts")

// ErrFailed ends a command that has printed what is wrong.
var ErrFailed = errors.New("something fails")

package main

import "errors"

// Exit codes.
const (
	exitClean = 0 // nothing alerts
	exitAlert = 1 // something alerts
	exitError = 2 // the command could not do what it was asked
)

// errAlert ends a command that found an alert; there is nothing to print about it.
var errAlert = errors.New("something alerts")

// errFailed ends a command that has printed what is wrong.
var errFailed = errors.New("something fails")

package filter

// Version is the version of this build; the linker sets it.
var Version = "unknown"

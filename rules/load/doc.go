// Package load reads all that makes a rule set into a [Program]: the embedded Core Rule Set, rule packs, files, directories in the layout of
// ModSecurity, data files, settings and exclusions. It brings the text into the form that the engine reads and means, and notes with file
// and line what it omits and what it rejects. It compiles nothing; what the engine knows of operators and variables comes as a [Vocabulary].
package load

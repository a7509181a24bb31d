// Package model is the vocabulary of rules: transactions with their parts, and verdicts with the rules that matched. Every package below
// rules/ may import it, and it imports none of them. It knows neither SecLang nor Coraza.
package model

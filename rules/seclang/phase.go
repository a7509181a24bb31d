package seclang

import (
	"strconv"
	"strings"
)

// defaultPhase is the phase of rules that name none.
const defaultPhase = 2

// PhaseOf returns the phase in which the actions of a rule place it.
func PhaseOf(actions []Action) int {
	phase := defaultPhase
	for _, a := range actions {
		if a.Name != "phase" {
			continue
		}
		switch value := strings.ToLower(a.Value); value {
		case "request":
			phase = 2
		case "response":
			phase = 4
		case "logging":
			phase = 5
		default:
			if n, err := strconv.Atoi(value); err == nil {
				phase = n
			}
		}
	}
	return phase
}

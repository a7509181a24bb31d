// Package transform runs the transformation pipelines of rules on a value. Pipelines that begin alike share their steps, and a step that
// cannot change a text, which its bytes show, is not run. Every result is that of Coraza's own transformation; for the common ones, forms
// that do not allocate stand in, and leave what they do not cover to Coraza.
package transform

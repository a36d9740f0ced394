// Package report is what a run of the harness leaves: a file of all results,
// and what is made of one or several: medians and their spread, ratios of two
// systems, the table of targets, how costs, memory and data grow, tables as
// text and Markdown, plots as SVG.
//
// Percentiles are never averaged: the histograms of all rounds are merged. A
// ratio is that of medians, and beside it stands the range of the ratios of
// single rounds, in which both systems ran one right after the other.
//
// Start with file.go, then group.go.
package report

# testthat.R FILE: runs tests/testthat against the installed package and
# writes to FILE how many tests passed, failed and were skipped.
out <- normalizePath(commandArgs(TRUE)[1L], mustWork = FALSE)
results <- as.data.frame(testthat::test_dir(
    "tests/testthat", package = "fatecast", load_package = "installed",
    reporter = "check", stop_on_failure = FALSE, stop_on_warning = FALSE))
failed <- results$failed > 0 | results$error
skipped <- !failed & results$skipped
# No test at all is a failure: the folder is not where it should be.
if (nrow(results) == 0L) failed <- TRUE
counts <- c(sum(!failed & !skipped), sum(failed), sum(skipped))
writeLines(paste(counts, collapse = " "), out)

test_that("each kind has its family and root class", {
    kinds <- unlist(.errorFamilies, use.names = FALSE)
    expect_identical(anyDuplicated(kinds), 0L)
    for (family in names(.errorFamilies)) {
        for (kind in .errorFamilies[[family]]) {
            e <- expectFailure(.abort(kind, "text"), kind)
            expect_s3_class(e, paste0("fatecast_error_", family))
        }
    }
})

test_that("an unknown kind is a programming error, not one of ours", {
    e <- expect_error(.abort("nonsense", "text"), "unknown kind")
    expect_false(inherits(e, "fatecast_error"))
    expect_error(.warn("nonsense", "text"), "unknown kind")
})

test_that("text is data and fields travel, even with difficult names", {
    name <- "50% {of} %s%n \u00fc\ncell"
    e <- expectFailure(
        .abort("shape", name, "an advice with {braces} and %d",
            cells = name, class = "mine", .internal = 1
        ), "shape",
        list(cells = name, class_ = "mine", .internal_ = 1)
    )
    expect_match(conditionMessage(e), "50% {of} %s%n \u00fc", fixed = TRUE)
    expect_match(conditionMessage(e), "{braces} and %d", fixed = TRUE)
})

test_that("names in messages are escaped, cut and counted", {
    expect_identical(.someNames(character()), "none")
    expect_identical(.someNames(c("a", "b")), "`a`, `b`")
    expect_identical(.someNames(letters[1:7], 2L), "`a`, `b` and 5 more")
    expect_identical(.someNames("a\nb"), "`a\\nb`")
    expect_lt(nchar(.someNames(strrep("x", 1000L))), 70L)
})

test_that("the user's call is blamed, not an internal one", {
    .inner <- function() .abort("range", "bad")
    verb <- function() .inner()
    e <- expectFailure(verb(), "range")
    expect_identical(e$call, quote(verb()))
    checked <- function(n) .checkCount(n)
    e <- expectFailure(checked(1.5), "type")
    expect_identical(e$call[[1L]], quote(checked))
    expect_match(conditionMessage(e), "`n` must be", fixed = TRUE)
    reading <- function(x) .readCellData(x, "nothing")
    e <- expectFailure(reading(smallSCE()), "missing_key")
    expect_identical(e$call[[1L]], quote(reading))
})

test_that("warnings and messages carry their classes", {
    w <- expect_warning(
        .warn("dense", "big", n = 3),
        class = "fatecast_warning_dense"
    )
    expect_s3_class(w, "fatecast_warning")
    expect_identical(w$n, 3)
    expect_message(.inform("50% {done}"), class = "fatecast_message")
})

failure <- function(kind, message, fields = list()) {
    structure(
        list(kind = kind, message = message, fields = fields),
        class = "fatecast_failure"
    )
}

test_that("failures of the core become conditions with their fields", {
    expect_identical(.unwrap(1:3), 1:3)
    e <- expectFailure(
        .unwrap(failure("not_converged", "residual above 5% of {x}", list(
            iterations = 7L, residual = 0.5, message = "m", call = "c"
        )), "Try another solver."), "not_converged",
        list(iterations = 7L, residual = 0.5, message_ = "m", call_ = "c")
    )
    expect_match(conditionMessage(e), "Residual above 5% of {x}.", fixed = TRUE)
    expect_match(conditionMessage(e), "Try another solver.", fixed = TRUE)
})

test_that("cells of a core failure are named, counting from zero", {
    cells <- paste0("c", 1:9)
    failed <- failure("unreachable", "cells are stuck", list(
        cells = c(0, 8)
    ))
    e <- expectFailure(
        .unwrap(failed, cell_names = cells), "unreachable",
        list(cells = c("c1", "c9"))
    )
    expect_match(conditionMessage(e), "`c1`, `c9`", fixed = TRUE)
    expectFailure(.unwrap(failed), "unreachable", list(cells = c(1L, 9L)))
})

test_that("unknown kinds of the core are internal errors", {
    expectFailure(
        .unwrap(failure("brand_new", "oh")), "internal",
        list(core_kind = "brand_new")
    )
    e <- expectFailure(.unwrap(failure("internal", "panic")), "internal")
    expect_match(conditionMessage(e), "report")
})

test_that("an interrupt stays R's own", {
    seen <- tryCatch(
        .unwrap(failure("interrupted", "stopped")),
        interrupt = function(c) c
    )
    expect_s3_class(seen, "interrupt")
    expect_false(inherits(seen, "error"))
})

test_that("the page of conditions lists every kind", {
    skip_if_not(nzchar(system.file("help", package = "fatecast")))
    page <- utils::capture.output(
        tools::Rd2txt(utils:::.getHelpFile(
            help("fatecast-conditions", package = "fatecast")
        ), options = list(underline_titles = FALSE))
    )
    text <- paste(page, collapse = " ")
    for (kind in c(unlist(.errorFamilies), .warningKinds)) {
        expect_match(text, kind, fixed = TRUE)
    }
})

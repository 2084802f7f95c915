test_that("renaming renames every result and renaming back undoes it", {
    fit <- predictInitialStates(fitted(), allow_overlap = TRUE)
    old <- levels(terminalStates(fit))
    new <- stats::setNames(paste("fate", seq_along(old)), old)
    to <- renameTerminalStates(fit, new)
    expect_identical(levels(terminalStates(to)), unname(new))
    expect_identical(
        as.integer(terminalStates(to)), as.integer(terminalStates(fit))
    )
    expect_identical(lineageNames(to), unname(new[lineageNames(fit)]))
    expect_identical(
        unname(as.matrix(fateProbabilities(to))),
        unname(as.matrix(fateProbabilities(fit)))
    )
    expect_identical(unname(lineageColors(to)), unname(lineageColors(fit)))
    expect_identical(
        unname(drivers(to, new[[1L]])), unname(drivers(fit, old[1L]))
    )
    expect_identical(
        lineageNames(memberships(to, which = "terminal")), unname(new)
    )
    expect_identical(parameters(to, "lineages_fwd")$keys, unname(new))
    expect_identical(parameters(to, "term_states_fwd")$states, unname(new))
    expect_identical(initialStates(to), initialStates(fit))
    expect_identical(macrostates(to), macrostates(fit))
    back <- renameTerminalStates(to, stats::setNames(names(new), new))
    expect_identical(back, fit)
})

test_that("initial states are renamed alone", {
    fit <- predictInitialStates(fitted(), allow_overlap = TRUE)
    old <- levels(initialStates(fit))
    to <- renameInitialStates(fit, stats::setNames(list("start"), old))
    expect_identical(levels(initialStates(to)), "start")
    expect_identical(lineageNames(memberships(to, which = "initial")), "start")
    expect_identical(parameters(to, "init_states_fwd")$states, "start")
    expect_identical(fateProbabilities(to), fateProbabilities(fit))
    expect_identical(terminalStates(to), terminalStates(fit))
    expect_identical(renameInitialStates(to, c(start = old)), fit)
})

test_that("stored results have the new names", {
    fit <- fitted()
    old <- levels(terminalStates(fit))[1L]
    to <- renameTerminalStates(fit, stats::setNames("north pole", old))
    for (object in list(container(to), seuratResults(to))) {
        expect_true("north pole" %in% lineageNames(object))
        expect_identical(terminalStates(object), terminalStates(to))
        expect_equal(drivers(object, "north pole"), drivers(to, "north pole"))
        expect_identical(
            names(.readColors(object, "term_states_fwd")),
            levels(terminalStates(to))
        )
    }
})

test_that("an empty mapping and a swap work", {
    fit <- fitted()
    expect_identical(renameTerminalStates(fit, character()), fit)
    expect_identical(renameTerminalStates(fit, list()), fit)
    expect_identical(renameTerminalStates(fit, NULL), fit)
    old <- levels(terminalStates(fit))
    same <- stats::setNames(old, old)
    expect_identical(renameTerminalStates(fit, same), fit)
    swap <- stats::setNames(rev(old[1:2]), old[1:2])
    to <- renameTerminalStates(fit, swap)
    expect_identical(
        terminalStates(to) == old[1L], terminalStates(fit) == old[2L]
    )
    expect_identical(renameTerminalStates(to, swap), fit)
})

test_that("joint lineages get the new names of their members", {
    fit <- setTerminalStates(GPCCA(ruin(6)), list(left = 1, right = 6, up = 3))
    fit <- computeFateProbabilities(fit, keys = c("left", "right", "up"))
    fates <- as.matrix(fateProbabilities(fit))
    joint <- cbind(fates[, "left"] + fates[, "up"], fates[, "right"])
    fit@results$fates <- Lineage(joint, c("left, up", "right"))
    fit@params$lineages_fwd$keys <- c("left, up", "right")
    to <- renameTerminalStates(fit, c(up = "top"))
    expect_identical(lineageNames(to), c("left, top", "right"))
    expect_identical(
        parameters(to, "lineages_fwd")$keys, c("left, top", "right")
    )
    expect_identical(renameTerminalStates(to, c(top = "up")), fit)
    # Sorted, as joint names are everywhere.
    to <- renameTerminalStates(fit, c(up = "down"))
    expect_identical(lineageNames(to), c("down, left", "right"))
    expect_identical(renameTerminalStates(to, c(down = "up")), fit)
})

test_that("wrong names are refused", {
    bare <- GPCCA(ruin(6))
    expectFailure(renameTerminalStates(bare, c(a = "b")), "not_computed")
    expectFailure(renameInitialStates(bare, c(a = "b")), "not_computed")
    fit <- setTerminalStates(bare, list(left = 1, right = 6))
    e <- expectFailure(renameTerminalStates(fit, c(up = "x")), "missing_key")
    expect_identical(e$states, "up")
    e <- expectFailure(
        renameTerminalStates(fit, c("left, right" = "x")), "missing_key"
    )
    expect_match(conditionMessage(e), "joins the names", fixed = TRUE)
    e <- expectFailure(
        renameTerminalStates(fit, c(left = "right")), "duplicate_names"
    )
    expect_identical(e$states, "right")
    expectFailure(
        renameTerminalStates(fit, c(left = "x", left = "y")), "duplicate_names"
    )
    for (bad in list("x", 1, c(left = NA_character_), c(left = ""), list(
        left = c("a", "b")
    ), c(left = 1))) {
        expectFailure(renameTerminalStates(fit, bad), "type")
    }
    three <- setTerminalStates(bare, list(a = 1, b = 2, c = 6))
    e <- expectFailure(
        renameTerminalStates(three, c(c = "a, b")), "duplicate_names"
    )
    expect_identical(e$states, "a, b")
    expectFailure(renameTerminalStates(fit, c(left = "x"), 1),
        "unknown_argument"
    )
})

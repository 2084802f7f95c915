test_that("each rule takes the states it should", {
    fit <- fitted()
    stay <- diag(coarseTransition(fit))
    taken <- function(...) {
        levels(terminalStates(predictTerminalStates(fit, ...)))
    }
    inOrder <- function(chosen) names(stay)[names(stay) %in% chosen]
    top <- function(n) {
        inOrder(names(sort(stay, decreasing = TRUE))[seq_len(n)])
    }
    expect_identical(
        taken(stability_threshold = 0.5), names(stay)[stay >= 0.5]
    )
    for (n in seq_along(stay)) {
        expect_identical(taken(method = "top_n", n_states = n), top(n))
    }
    gap <- function(values) {
        values <- sort(values, decreasing = TRUE)
        which.max(-diff(values) - (1 - values[-length(values)]))
    }
    expect_identical(taken(method = "eigengap_coarse"), top(gap(stay)))
    n <- gap(Re(eigenvalues(fit)))
    if (n <= length(stay)) {
        expect_identical(taken(method = "eigengap"), top(n))
    } else {
        expectFailure(taken(method = "eigengap"), "range")
    }
})

test_that("of equally stable states the first are taken", {
    fit <- fitted()
    diag(fit@results$macrostates$coarse$transition) <- 0.97
    two <- predictTerminalStates(fit, method = "top_n", n_states = 2)
    expect_identical(
        levels(terminalStates(two)), levels(macrostates(fit))[1:2]
    )
})

test_that("wrong rules and numbers are refused", {
    fit <- fitted()
    m <- nlevels(macrostates(fit))
    e <- expectFailure(
        predictTerminalStates(fit, method = "top_n", n_states = m + 1), "range"
    )
    expect_identical(e[c("argument", "value", "max")], list(
        argument = "n_states", value = m + 1, max = m
    ))
    e <- expectFailure(predictTerminalStates(fit, method = "best"), "range")
    expect_true("eigengap_coarse" %in% e$choices)
    expectFailure(predictTerminalStates(fit, n_cells = 0), "range")
    e <- expectFailure(predictTerminalStates(fit, n_cells = 4200), "range")
    expect_match(conditionMessage(e), "1 to ", fixed = TRUE)
    expectFailure(predictTerminalStates(fit, stability_threshold = 42), "range")
    expectFailure(
        predictTerminalStates(fit, method = "top_n", n_states = 0), "range"
    )
    expectFailure(predictTerminalStates(fit, allow_overlap = 1), "type")
    fit@results$schur <- NULL
    expectFailure(
        predictTerminalStates(fit, method = "eigengap"), "not_computed"
    )
})

test_that("a state that keeps too few cells is named", {
    fit <- fitted()
    chi <- as.matrix(memberships(fit))
    names <- colnames(chi)[1:2]
    chi[, 2L] <- chi[, 1L] * 0.9
    held <- Lineage(chi)
    fit@results$macrostates$memberships <- held
    e <- expectFailure(setTerminalStates(fit, names), "no_state")
    expect_match(conditionMessage(e), names[2L], fixed = TRUE)
    # Fewer than asked for, but enough, is a warning.
    few <- order(-chi[, 1L])[1:20]
    chi[few, 2L] <- chi[few, 1L] / 2
    chi[-few, 2L] <- 0
    chi[order(-chi[, 1L])[21:30], 2L] <- 1
    fit@results$macrostates$memberships <- Lineage(chi)
    gone <- expect_warning(
        setTerminalStates(fit, names), class = "fatecast_warning_dropped"
    )
    expect_true(names[2L] %in% gone$states || names[1L] %in% gone$states)
})

test_that("parameters exist up to the stage and not after", {
    sce <- tree()
    fit <- computeMacrostates(
        GPCCA(transitionMatrix(fitted()), container = sce), n_states = 5
    )
    keys <- c("schur_vectors_fwd", "macrostates_fwd")
    expect_setequal(names(parameters(fit)), keys)
    fit <- predictTerminalStates(fit, method = "top_n", n_states = 2)
    expect_setequal(names(parameters(fit)), c(keys, "term_states_fwd"))
    made <- parameters(fit, "term_states_fwd")
    expect_identical(made[c("method", "n_states", "n_cells")], list(
        method = "top_n", n_states = 2L, n_cells = 30L
    ))
    fit <- predictInitialStates(fit, allow_overlap = TRUE)
    expect_true(parameters(fit, "init_states_fwd")$allow_overlap)
    fit <- computeMacrostates(fit, n_states = 4)
    expect_setequal(names(parameters(fit)), keys)
})

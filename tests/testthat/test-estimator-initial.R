test_that("the initial state is the macrostate the chain seldom visits", {
    fit <- fitted()
    weights <- container(fit)
    weights <- .readRecord(weights, "macrostates_fwd")$coarse$stationary
    one <- predictInitialStates(fit, allow_overlap = TRUE)
    expect_identical(
        levels(initialStates(one)), names(weights)[which.min(weights)]
    )
    expect_identical(as.vector(table(initialStates(one))), 30L)
    # In the order of the macrostates, whatever their weights.
    some <- predictInitialStates(
        fit, n_states = 3, n_cells = 10, allow_overlap = TRUE
    )
    expect_identical(
        levels(initialStates(some)),
        names(weights)[sort(order(weights)[1:3])]
    )
    expect_identical(as.vector(table(initialStates(some))), rep(10L, 3))
    # What rests on terminal states stays, and so do they.
    expect_identical(fateProbabilities(some), fateProbabilities(fit))
    expect_identical(drivers(some), drivers(fit))
    expect_identical(terminalStates(some), terminalStates(fit))
})

test_that("initial states come with scores, memberships and colours", {
    fit <- setInitialStates(
        fitted(), levels(macrostates(fitted()))[1:2], allow_overlap = TRUE
    )
    states <- fit@results$initial
    chi <- as.matrix(states$memberships)
    scaled <- sweep(chi, 2L, apply(chi, 2L, max), "/")
    expect_equal(states$probs, unname(apply(scaled, 1L, max)))
    expect_identical(
        states$colors, unname(lineageColors(memberships(fit))[1:2])
    )
    expect_identical(
        chi, as.matrix(memberships(fit))[, levels(initialStates(fit))]
    )
    expect_false(anyNA(states$probs))
})

test_that("wrong demands for initial states are refused", {
    fit <- fitted()
    expectFailure(predictInitialStates(GPCCA(diag(3))), "not_computed")
    e <- expectFailure(predictInitialStates(fit, n_states = 99), "range")
    expect_identical(e$argument, "n_states")
    expectFailure(predictInitialStates(fit, n_states = 0), "range")
    expectFailure(predictInitialStates(fit, n_cells = 0), "range")
    expectFailure(
        predictInitialStates(fit, n_cells = 4200, allow_overlap = TRUE),
        "range"
    )
    expectFailure(predictInitialStates(fit, states = 1), "unknown_argument")
    fit@results$macrostates$coarse["stationary"] <- list(NULL)
    e <- expectFailure(predictInitialStates(fit), "no_state")
    expect_match(conditionMessage(e), "setInitialStates", fixed = TRUE)
})

test_that("one macrostate is initial and terminal, with a warning", {
    fit <- fitted()
    only <- fit@results$macrostates
    name <- levels(only$assignment)[1L]
    only$assignment <- factor(only$assignment, levels = name)
    only$memberships <- Lineage(
        matrix(1, nrow(only$memberships), dimnames = list(
            rownames(only$memberships), name
        ))
    )
    only["coarse"] <- list(NULL)
    fit@results <- list(macrostates = only)
    expect_warning(
        start <- predictInitialStates(fit),
        class = "fatecast_warning_single_lineage"
    )
    expect_identical(levels(initialStates(start)), name)
    for (method in c("stability", "eigengap", "eigengap_coarse")) {
        expect_warning(
            end <- predictTerminalStates(fit, method = method),
            class = "fatecast_warning_single_lineage"
        )
        expect_identical(levels(terminalStates(end)), name)
    }
})

test_that("initial and terminal states may not share cells unasked", {
    fit <- fitted()
    name <- levels(terminalStates(fit))[1L]
    n <- sum(terminalStates(fit) %in% name)
    e <- expectFailure(setInitialStates(fit, name), "range")
    expect_identical(e$n_cells, n)
    expect_identical(
        e$cells, names(terminalStates(fit))[terminalStates(fit) %in% name]
    )
    expect_match(conditionMessage(e), "allow_overlap", fixed = TRUE)
    both <- setInitialStates(fit, name, allow_overlap = TRUE)
    expect_identical(
        as.character(initialStates(both)),
        as.character(factor(terminalStates(fit), levels = name))
    )
    # The same the other way round, for cells and for the rule.
    start <- setInitialStates(setTerminalStates(fit, list(end = 1)), name)
    expectFailure(setTerminalStates(start, name), "range")
    again <- setTerminalStates(start, name, allow_overlap = TRUE)
    expect_identical(terminalStates(again), initialStates(start))
    expectFailure(predictTerminalStates(start), "range")
    expect_s4_class(predictTerminalStates(start, allow_overlap = TRUE), "GPCCA")
    at <- which(!is.na(initialStates(start)))[1L]
    e <- expectFailure(setTerminalStates(start, list(a = at)), "range")
    expect_identical(e$n_cells, 1L)
    weak <- setTerminalStates(
        fit, levels(initialStates(predictInitialStates(
            fit, allow_overlap = TRUE
        )))
    )
    expectFailure(predictInitialStates(weak), "range")
})

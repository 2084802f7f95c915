test_that("terminal states follow the rules", {
    fit <- fitted()
    stay <- diag(coarseTransition(fit))
    two <- predictTerminalStates(fit, method = "top_n", n_states = 2)
    expect_setequal(
        levels(terminalStates(two)),
        names(sort(stay, decreasing = TRUE))[1:2]
    )
    all <- predictTerminalStates(fit, stability_threshold = min(stay))
    expect_identical(levels(terminalStates(all)), names(stay))
    e <- expectFailure(
        predictTerminalStates(fit, stability_threshold = 1), "no_state"
    )
    expect_match(conditionMessage(e), names(stay)[1], fixed = TRUE)
    expectFailure(predictTerminalStates(fit, method = "top_n"), "type")
    expectFailure(predictTerminalStates(GPCCA(diag(3))), "not_computed")
})

test_that("states can be set by name, factor, cells and label", {
    fit <- fitted()
    sce <- tree()
    names <- levels(macrostates(fit))[1:2]
    by_name <- setTerminalStates(fit, names)
    expect_identical(levels(terminalStates(by_name)), names)
    label <- levels(sce$cell_type)[3:4]
    by_label <- setTerminalStates(fit, list(cell_type = label))
    expect_identical(
        sum(!is.na(terminalStates(by_label))), sum(sce$cell_type %in% label)
    )
    states <- factor(ifelse(sce$cell_type %in% label, "end", NA))
    by_factor <- setTerminalStates(fit, states)
    expect_identical(levels(terminalStates(by_factor)), "end")
    by_cell <- setTerminalStates(
        fit, list(b = colnames(sce)[1:3], a = 4:5)
    )
    expect_identical(levels(terminalStates(by_cell)), c("a", "b"))
    expect_identical(as.vector(table(terminalStates(by_cell))), c(2L, 3L))
    expect_warning(
        setTerminalStates(fit, list(a = 1, b = character())),
        class = "fatecast_warning_dropped"
    )
    renamed <- setTerminalStates(
        fit, list(x = which(sce$cell_type == label[1])),
        cluster_key = "cell_type"
    )
    expect_identical(levels(terminalStates(renamed)), label[1])
})

test_that("wrong states are refused", {
    fit <- fitted()
    sce <- tree()
    expectFailure(setTerminalStates(fit, "nowhere"), "missing_key")
    expectFailure(setTerminalStates(fit, factor("a")), "shape")
    expectFailure(setTerminalStates(fit, list(a = "no cell")), "missing_key")
    expectFailure(setTerminalStates(fit, list(a = 0)), "missing_key")
    expectFailure(setTerminalStates(fit, list(a = 1, a = 2)), "duplicate_names")
    expectFailure(setTerminalStates(fit, list(1:3)), "type")
    none <- factor(rep(NA, 600), levels = "a")
    expectFailure(setTerminalStates(fit, none), "no_state")
    other <- factor(rep("a", ncol(sce)))
    names(other) <- paste0("other", seq_len(ncol(sce)))
    expectFailure(setTerminalStates(fit, other), "container_cells")
})

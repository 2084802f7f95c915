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

test_that("what is set is what is read, in every form and container", {
    sce <- tree()
    label <- levels(sce$cell_type)[3:4]
    wanted <- factor(
        ifelse(sce$cell_type %in% label, as.character(sce$cell_type), NA),
        levels = sort(label, method = "radix")
    )
    names(wanted) <- colnames(sce)
    cells <- split(colnames(sce), droplevels(wanted))
    forms <- list(
        wanted, unname(wanted), rev(wanted), list(cell_type = label),
        list(cell_type = rev(label)), cells, rev(cells),
        lapply(cells, match, colnames(sce)), lapply(cells, factor)
    )
    bases <- list(GPCCA(transitionMatrix(fitted()), container = sce))
    bases[[2L]] <- bases[[1L]]
    bases[[2L]]@container <- once("seurat tree", seuratFrom(sce))
    for (base in bases) {
        for (form in forms) {
            fit <- setTerminalStates(base, form)
            expect_identical(terminalStates(fit), wanted)
            expect_identical(
                initialStates(setInitialStates(base, form)), wanted
            )
        }
        fit <- setInitialStates(
            setTerminalStates(base, cells[1L]), cells[2L]
        )
        object <- container(fit)
        expect_identical(terminalStates(object), terminalStates(fit))
        expect_identical(initialStates(object), initialStates(fit))
        # Set again from what was read.
        expect_identical(
            terminalStates(setTerminalStates(base, terminalStates(object))),
            terminalStates(fit)
        )
    }
})

test_that("a cell named twice belongs to the last state", {
    fit <- setTerminalStates(GPCCA(ruin(5)), list(b = 1:2, a = 2:3))
    expect_identical(
        unname(terminalStates(fit)), factor(c("b", "a", "a", NA, NA))
    )
    gone <- expect_warning(
        setTerminalStates(GPCCA(ruin(5)), list(b = 2, a = 1:3)),
        class = "fatecast_warning_dropped"
    )
    expect_identical(gone$states, "b")
})

test_that("joint macrostates add up their memberships", {
    fit <- fitted()
    chi <- as.matrix(memberships(fit))
    three <- colnames(chi)[1:3]
    joint <- paste(sort(three[1:2], method = "radix"), collapse = ", ")
    asked <- c(paste(rev(three[1:2]), collapse = ","), three[3L])
    set <- setTerminalStates(fit, asked, n_cells = 20)
    expect_identical(levels(terminalStates(set)), c(joint, three[3L]))
    expect_identical(as.vector(table(terminalStates(set))), c(20L, 20L))
    held <- set@results$terminal
    sums <- cbind(chi[, three[1L]] + chi[, three[2L]], chi[, three[3L]])
    expect_equal(unname(as.matrix(held$memberships)), unname(sums))
    # The chosen cells are those of largest membership.
    first <- sums[, 1L]
    chosen <- which(terminalStates(set) == joint)
    expect_gte(min(first[chosen]), max(first[-chosen][
        is.na(terminalStates(set)[-chosen])
    ]))
    colors <- lineageColors(memberships(fit))
    expect_identical(held$colors, c(
        .mixColors(unname(colors[sort(three[1:2], method = "radix")])),
        colors[[three[3L]]]
    ))
    e <- expectFailure(
        setTerminalStates(fit, c(three[1L], joint)), "duplicate_names"
    )
    expect_identical(e$states, three[1L])
    expectFailure(setTerminalStates(fit, "no, where"), "missing_key")
})

test_that("replacing macrostates by cells drops memberships and scores", {
    fit <- fitted()
    expect_s4_class(memberships(fit, which = "terminal"), "Lineage")
    own <- setTerminalStates(fit, list(a = 1, b = 2))
    expectFailure(memberships(own, which = "terminal"), "not_computed")
    expectFailure(
        memberships(container(own), which = "terminal"), "not_computed"
    )
    expect_identical(memberships(own), memberships(fit))
    expect_null(own@results$terminal$probs)
    expectFailure(fateProbabilities(own), "not_computed")
})

test_that("a reference clustering names and colours every form", {
    sce <- tree()
    colors <- grDevices::hcl.colors(nlevels(sce$cell_type))
    S4Vectors::metadata(sce)$cell_type_colors <- colors
    fit <- fitted()
    fit@container <- sce
    label <- levels(sce$cell_type)
    at <- match(label[1:2], sce$cell_type)
    own <- setTerminalStates(
        fit, list(x = at[1L], y = at[2L]), cluster_key = "cell_type"
    )
    expect_identical(levels(terminalStates(own)), label[1:2])
    expect_identical(own@results$terminal$colors, unname(.asHex(colors[1:2])))
    # Two states of one cluster: numbered, in shades of its colour.
    pair <- which(sce$cell_type == label[3L])[1:2]
    own <- setTerminalStates(
        fit, list(x = pair[1L], y = pair[2L]), cluster_key = "cell_type"
    )
    expect_identical(
        levels(terminalStates(own)), paste0(label[3L], c("_1", "_2"))
    )
    expect_identical(
        own@results$terminal$colors, .varyColor(unname(.asHex(colors[3L])), 2L)
    )
    named <- setTerminalStates(
        fit, levels(macrostates(fit))[1:2], cluster_key = "cell_type"
    )
    expect_identical(
        lineageNames(named@results$terminal$memberships),
        levels(terminalStates(named))
    )
    expectFailure(
        setTerminalStates(fit, list(a = 1), cluster_key = "no"), "missing_key"
    )
    S4Vectors::metadata(fit@container)$cell_type_colors <- colors[1:2]
    e <- expectFailure(
        setTerminalStates(fit, list(a = 1), cluster_key = "cell_type"), "shape"
    )
    expect_identical(e$n_colors, 2L)
    S4Vectors::metadata(fit@container)$cell_type_colors <- rep(
        "red", length(colors)
    )
    expect_warning(
        setTerminalStates(fit, list(a = 1), cluster_key = "cell_type"),
        class = "fatecast_warning_fallback"
    )
})

test_that("wrong cells are named", {
    fit <- GPCCA(ruin(5))
    e <- expectFailure(
        setTerminalStates(fit, list(a = 1, b = c("site2", "x", "y"))),
        "missing_key"
    )
    expect_identical(e[c("state", "cells")], list(
        state = "b", cells = c("x", "y")
    ))
    for (bad in list(6, 0, -1, 1.5, NA_integer_, NA_character_)) {
        expectFailure(setTerminalStates(fit, list(a = bad)), "missing_key")
    }
    expectFailure(setTerminalStates(fit, list(a = TRUE)), "type")
    expectFailure(setTerminalStates(fit, list(a = NULL)), "no_state")
    expectFailure(setTerminalStates(fit, list()), "type")
    expectFailure(setTerminalStates(fit, 1:5), "type")
    expectFailure(setTerminalStates(fit), "not_computed")
    expectFailure(setTerminalStates(fit, "a"), "not_computed")
    short <- factor(c("a", "b"))
    e <- expectFailure(setTerminalStates(fit, short), "shape")
    expect_identical(e$n_cells, c(5L, 2L))
    expectFailure(
        setTerminalStates(fit, list(a = 1), allow_overlap = NA), "type"
    )
    expectFailure(
        setTerminalStates(fit, list(a = 1), overlap = TRUE), "unknown_argument"
    )
})

test_that("the order of the cells does not matter", {
    fit <- fitted()
    at <- rev(seq_along(macrostates(fit)))
    turned <- GPCCA(
        transitionMatrix(fit)[at, at], container = tree()[, at]
    )
    held <- fit@results$macrostates
    held$assignment <- held$assignment[at]
    held$memberships <- held$memberships[at, ]
    turned@results$macrostates <- held
    names <- levels(macrostates(fit))[1:2]
    one <- setTerminalStates(fit, names)
    two <- setTerminalStates(turned, names)
    expect_identical(terminalStates(two), terminalStates(one)[at])
    expect_identical(
        two@results$terminal$probs, one@results$terminal$probs[at]
    )
    cells <- list(b = colnames(tree())[5:9], a = colnames(tree())[1:2])
    expect_identical(
        terminalStates(setTerminalStates(turned, cells)),
        terminalStates(setTerminalStates(fit, cells))[at]
    )
})

test_that("what is known of the states is shown", {
    fit <- setTerminalStates(GPCCA(ruin(5)), list(b = 4:5, a = 1))
    fit <- setInitialStates(fit, list(middle = 3))
    expect_output(show(fit), "terminal states: `a`, `b` (cells: 1, 2)",
        fixed = TRUE
    )
    expect_output(
        show(fit), "initial states: `middle` (cells: 1)", fixed = TRUE
    )
    expect_output(show(fitted()), "worst relative residual: ", fixed = TRUE)
})

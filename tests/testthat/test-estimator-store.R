# An estimator with every step that this file speaks of.
complete <- function() {
    once("complete", predictInitialStates(fitted(), allow_overlap = TRUE))
}

both <- function(fit) {
    list(SCE = container(fit), Seurat = seuratResults(fit))
}

test_that("an estimator comes back from its object as it was", {
    fit <- complete()
    for (object in both(fit)) {
        back <- expectQuiet(fromObject(object, as = "GPCCA"))
        expect_s4_class(back, "GPCCA")
        expect_identical(partsOf(back), partsOf(fit))
        expect_identical(lineageColors(back), lineageColors(fit))
        # Steps that come next work.
        expect_identical(
            levels(terminalStates(predictTerminalStates(
                back, method = "top_n", n_states = 2, allow_overlap = TRUE
            ))), levels(terminalStates(predictTerminalStates(
                fit, method = "top_n", n_states = 2, allow_overlap = TRUE
            )))
        )
    }
})

test_that("every stage comes back, and no more than it", {
    fit <- GPCCA(transitionMatrix(fitted()), container = tree())
    stages <- list(
        fit, fit <- computeSchur(fit),
        fit <- computeMacrostates(fit, n_states = 5),
        fit <- setTerminalStates(fit, levels(macrostates(fit))[3:4]),
        fit <- computeFateProbabilities(fit),
        suppressWarnings(computeLineageDrivers(fit))
    )
    for (one in stages) {
        back <- expectQuiet(fromObject(container(one), as = "GPCCA"))
        expect_identical(partsOf(back), partsOf(one))
    }
    # States of one's own need no macrostates, and come back without them.
    own <- setTerminalStates(stages[[1L]], list(a = 1:3, b = 9:12))
    own <- computeFateProbabilities(own)
    expect_identical(
        partsOf(fromObject(container(own), as = "GPCCA")), partsOf(own)
    )
})

test_that("a missing part ends the chain there", {
    fit <- complete()
    lack <- list(
        macrostates_fwd = c("schur"),
        macrostates_fwd_memberships = c("schur"),
        term_states_fwd_probs = c("schur", "macrostates", "initial"),
        lineages_fwd = c("schur", "macrostates", "initial", "terminal")
    )
    for (object in both(fit)) {
        for (key in names(lack)) {
            expect_warning(
                back <- suppressWarnings(
                    fromObject(.dropResults(object, key), as = "GPCCA"),
                    "other"
                ), class = "fatecast_warning_dropped"
            )
            expect_setequal(names(back@results), lack[[key]])
            expect_setequal(
                names(back@params),
                vapply(lack[[key]], function(s) .stepKey(fit, s), "")
            )
        }
        # Decompositions may be missing.
        back <- suppressWarnings(
            fromObject(.dropResults(object, "schur_vectors_fwd"), as = "GPCCA")
        )
        expect_setequal(
            names(back@results), setdiff(names(fit@results), "schur")
        )
        # Without the record of the steps, the same in silence.
        misc <- .readMisc(.dropResults(object, "macrostates_fwd"))
        misc$fatecast$fwd_estimator_params <- NULL
        bare <- .writeMisc(.dropResults(object, "macrostates_fwd"), misc)
        back <- expectQuiet(fromObject(bare, as = "GPCCA"))
        expect_identical(names(back@results), "schur")
    }
})

test_that("results of another matrix or of other cells are not read", {
    fit <- complete()
    object <- writeToObject(ConnectivityKernel(container(fit)), key = "T_fwd")
    expect_warning(
        back <- fromObject(object, as = "GPCCA"),
        class = "fatecast_warning_dropped"
    )
    expect_length(back@results, 0L)
    expectFailure(
        fromObject(container(fit)[, 1:100], as = "GPCCA"), "container_stale"
    )
    expectFailure(fromObject(tree(), as = "GPCCA"), "missing_key")
    expectFailure(fromObject(container(fit), as = "Estimator"), "range")
})

test_that("a matrix without a record makes an estimator all the same", {
    sce <- .writeGraph(tree(), "mine", transitionMatrix(fitted()))
    back <- fromObject(sce, "mine", as = "GPCCA")
    expect_identical(transitionMatrix(back), transitionMatrix(fitted()))
    expectFailure(fromObject(sce, "mine"), "missing_key")
})

test_that("outdated results leave the object", {
    fit <- complete()
    for (object in both(fit)) {
        again <- GPCCA(fit@kernel, container = object)
        again <- computeMacrostates(again, n_states = 4)
        expect_warning(
            after <- container(again), class = "fatecast_warning_dropped"
        )
        expectFailure(fateProbabilities(after), "not_computed")
        expectFailure(terminalStates(after), "not_computed")
        expect_false(any(grepl(
            "term_states|init_states", .cellDataNames(after)
        )))
        expect_false(any(grepl("drivers", .featureDataNames(after))))
        expect_identical(macrostates(after), macrostates(again))
    }
    # Scores and memberships of earlier states go with them.
    own <- setTerminalStates(fit, list(a = 1, b = 2), allow_overlap = TRUE)
    own@container <- container(fit)
    after <- suppressWarnings(container(own))
    expect_false("term_states_fwd_probs" %in% .cellDataNames(after))
    expect_false("term_states_fwd_memberships" %in% .embeddingNames(after))
})

test_that("the user's palette of states is read back", {
    sce <- container(complete())
    n <- nlevels(terminalStates(sce))
    paint <- function(colors) {
        S4Vectors::metadata(sce)$term_states_fwd_colors <- colors
        sce
    }
    colors <- grDevices::rainbow(n)
    back <- fromObject(paint(colors), as = "GPCCA")
    expect_identical(back@results$terminal$colors, unname(.asHex(colors)))
    expect_identical(
        unname(lineageColors(back@results$terminal$memberships)),
        unname(.asHex(colors))
    )
    expectFailure(terminalStates(paint("red")), "shape")
    expect_warning(
        terminalStates(paint(rep("red", n))), class = "fatecast_warning"
    )
})

test_that("the arguments of all steps are stored together", {
    fit <- complete()
    for (object in both(fit)) {
        expect_identical(
            parameters(object, "fwd_estimator_params"), parameters(fit)
        )
    }
    expect_setequal(names(parameters(fit)), c(
        "schur_vectors_fwd", "macrostates_fwd", "init_states_fwd",
        "term_states_fwd", "lineages_fwd", "terminal_lineage_drivers"
    ))
    expectFailure(parameters(fit, "nothing"), "missing_key")
})

test_that("files keep estimators with and without their object", {
    file <- withr::local_tempfile(fileext = ".rds")
    fit <- complete()
    expect_identical(writeEstimator(fit, file), file)
    expect_identical(readEstimator(file), fit)
    expect_warning(
        back <- readEstimator(file, container = tree()),
        class = "fatecast_warning_dropped"
    )
    expect_identical(back, fit)
    writeEstimator(fit, file, container = FALSE)
    expect_identical(readEstimator(file, container = tree())@results,
        fit@results
    )
    e <- expectFailure(readEstimator(file), "not_computed")
    expect_identical(e$n_cells, 600L)
    e <- expectFailure(readEstimator(file, tree()[, 1:7]), "shape")
    expect_identical(e$n_cells, c(600L, 7L))
    other <- tree()
    colnames(other) <- rev(colnames(other))
    expectFailure(readEstimator(file, other), "container_cells")
    expectFailure(readKernel(file), "type")
    writeKernel(fit@kernel, file)
    e <- expectFailure(readEstimator(file), "type")
    expect_match(conditionMessage(e), "writeEstimator", fixed = TRUE)
    expectFailure(writeEstimator(fit@kernel, file), "type")
    expectFailure(readEstimator(tempfile()), "missing_key")
    bare <- setTerminalStates(GPCCA(ruin(5)), list(a = 1, b = 5))
    writeEstimator(bare, file, container = FALSE)
    expect_identical(readEstimator(file), bare)
})

test_that("an estimator of an earlier version is brought up to date", {
    fit <- complete()
    fit@version <- "0.0.1"
    fit@results$fates@version <- "0.0.1"
    new <- BiocGenerics::updateObject(fit)
    expect_identical(new, complete())
})

test_that("verbs leave their input as it was", {
    fit <- complete()
    copy <- unserialize(serialize(fit, NULL))
    setTerminalStates(fit, list(a = 1, b = 2), allow_overlap = TRUE)
    renameTerminalStates(
        fit, stats::setNames("x", levels(terminalStates(fit))[1L])
    )
    container(fit)
    expect_identical(fit, copy)
})

test_that("a backward chain has names of its own beside a forward one", {
    fit <- complete()
    for (object in both(fit)) {
        back <- GPCCA(
            transitionMatrix(fit), backward = TRUE, container = object
        )
        back <- setTerminalStates(back, list(early = 1:3, late = 9:12))
        back <- computeFateProbabilities(back)
        object <- expectQuiet(container(back))
        expect_identical(
            terminalStates(object, backward = TRUE), terminalStates(back)
        )
        expect_identical(terminalStates(object), terminalStates(fit))
        expect_true(all(c("fwd_estimator_params", "bwd_estimator_params") %in%
            .recordKeys(object)))
        expect_identical(
            partsOf(fromObject(object, "T_bwd", as = "GPCCA")), partsOf(back)
        )
        expect_identical(
            partsOf(fromObject(object, "T_fwd", as = "GPCCA")), partsOf(fit)
        )
    }
})

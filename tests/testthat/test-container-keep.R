small <- function() {
    once("small chain", {
        sce <- tree()
        fit <- setTerminalStates(
            GPCCA(transitionMatrix(fitted()), container = sce),
            list(a = 1:20, b = 41:60)
        )
        computeFateProbabilities(fit)
    })
}

smallIn <- function(class) {
    fit <- small()
    if (class == "Seurat") {
        fit@container <- once("seurat tree", seuratFrom(tree()))
    }
    fit
}

test_that("a container of results only has the cells and the features", {
    for (class in c("SingleCellExperiment", "Seurat")) {
        fit <- smallIn(class)
        whole <- container(fit)
        bare <- container(fit, keep = list())
        expect_identical(class(bare), class(whole))
        expect_identical(.cellNames(bare), .cellNames(whole))
        expect_identical(.featureNames(bare), .featureNames(whole))
        expect_setequal(.cellDataNames(bare), "term_states_fwd")
        expect_identical(.graphNames(bare), "T_fwd")
        expect_identical(.embeddingNames(bare), "lineages_fwd")
        expect_identical(fateProbabilities(bare), fateProbabilities(whole))
        expect_identical(
            partsOf(fromObject(bare, as = "GPCCA")), partsOf(fit)
        )
        # An object of zeros, at most.
        for (name in .assayNames(bare)) {
            expect_identical(sum(abs(.readAssay(bare, name))), 0)
        }
    }
})

test_that("slots and keys are kept by name, in either class's words", {
    for (class in c("SingleCellExperiment", "Seurat")) {
        fit <- smallIn(class)
        whole <- container(fit)
        for (name in c("colData", "meta.data")) {
            some <- container(fit, keep = name)
            expect_setequal(.cellDataNames(some), .cellDataNames(whole))
            expect_identical(.graphNames(some), "T_fwd")
        }
        embedding <- setdiff(.embeddingNames(whole), "lineages_fwd")[1L]
        some <- container(fit, keep = list(
            colData = "cell_type", reducedDims = embedding, colPairs = NULL
        ))
        expect_setequal(
            .cellDataNames(some), c("cell_type", "term_states_fwd")
        )
        expect_identical(
            .readCellData(some, "cell_type"), .readCellData(whole, "cell_type")
        )
        expect_setequal(
            .embeddingNames(some), c(embedding, "lineages_fwd")
        )
        expect_identical(
            .readEmbedding(some, embedding), .readEmbedding(whole, embedding)
        )
        expect_setequal(.graphNames(some), .graphNames(whole))
        counts <- container(fit, keep = list(assays = "counts"))
        # A Seurat assay with slots shows its counts as data, too.
        expect_true("counts" %in% .assayNames(counts))
        expect_true(all(.assayNames(counts) %in% c("counts", "data")))
        expect_identical(
            .readAssay(counts, utils::tail(.assayNames(counts), 1L)),
            .readAssay(whole, "counts")
        )
        expect_identical(
            .readAssay(counts, "counts"), .readAssay(whole, "counts")
        )
        features <- container(fit, keep = "rowData")
        expect_identical(.featureDataNames(features), .featureDataNames(whole))
        all <- container(fit, keep = "all")
        expect_identical(.assayNames(all), .assayNames(whole))
        expect_setequal(.cellDataNames(all), .cellDataNames(whole))
        expect_setequal(.embeddingNames(all), .embeddingNames(whole))
        expect_setequal(names(.readMisc(all)), names(.readMisc(whole)))
        # The estimator's own object is not touched.
        expect_identical(fit, smallIn(class))
    }
})

test_that("entries of the user stay in place of results", {
    for (class in c("SingleCellExperiment", "Seurat")) {
        fit <- smallIn(class)
        mine <- rep(c("x", "y"), length.out = 600L)
        fit@container <- .writeCellData(
            fit@container, list(term_states_fwd = mine)
        )
        expect_warning(
            some <- container(fit, keep = "colData"),
            class = "fatecast_warning_dropped"
        )
        expect_identical(.readCellData(some, "term_states_fwd"), mine)
        expect_identical(sum(.cellDataNames(some) == "term_states_fwd"), 1L)
        expectFailure(terminalStates(some), "not_computed")
        # Without being asked for, it does not stay.
        some <- container(fit, keep = list(colData = "cell_type"))
        expect_identical(terminalStates(some), terminalStates(fit))
        # Nor does an earlier result.
        earlier <- smallIn(class)
        earlier@container <- container(fitted())
        if (class == "Seurat") earlier@container <- seuratResults(fitted())
        some <- suppressWarnings(container(earlier, keep = "colData"))
        expect_identical(terminalStates(some), terminalStates(earlier))
        expect_false("term_states_fwd_probs" %in% .cellDataNames(some))
    }
})

test_that("the experiment of the drivers is kept", {
    sce <- tree()
    SingleCellExperiment::altExp(sce, "half") <- sce[1:20, ]
    fit <- small()
    fit@container <- sce
    fit <- suppressWarnings(computeLineageDrivers(fit, experiment = "half"))
    bare <- container(fit, keep = list())
    expect_identical(drivers(bare, "a"), drivers(fit, "a"))
})

test_that("unknown slots and keys are refused", {
    fit <- small()
    e <- expectFailure(container(fit, keep = "obsm"), "missing_key")
    expect_identical(e$key, "obsm")
    e <- expectFailure(
        container(fit, keep = list(colData = c("cell_type", "no"))),
        "missing_key"
    )
    expect_identical(e$key, "no")
    for (bad in list(1, NA_character_, list("colData"), list(colData = 1))) {
        expectFailure(container(fit, keep = bad), "type")
    }
    bare <- GPCCA(ruin(4))
    expectFailure(container(bare, keep = "colData"), "not_computed")
})

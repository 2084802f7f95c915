# The contract, run against every container.

for (name in names(smallContainers())) {
    make <- function(...) smallContainers(...)[[name]]
    about <- function(text) paste0(text, ": ", name)

    test_that(about("names"), {
        x <- make()
        expect_identical(.cellNames(x), paste0("cell", 1:12))
        expect_identical(.featureNames(x), paste0("gene", 1:8))
        expect_identical(.containerClass(x), sub(",.*", "", name))
        expect_identical(.checkContainer(x), x)
    })

    test_that(about("expression"), {
        x <- make()
        m <- smallCounts()
        expect_equal(as.matrix(.readAssay(x)), as.matrix(log1p(m)))
        expect_s4_class(.readAssay(x), "dgCMatrix")
        expect_equal(as.matrix(.readAssay(x, "counts")), as.matrix(m))
        picked <- .readAssay(x, "counts", c("gene5", "gene2"))
        expect_equal(as.matrix(picked), as.matrix(m[c("gene5", "gene2"), ]))
        expectFailure(.readAssay(x, "nope"), "missing_key", list(
            available = .assayNames(x)
        ))
        e <- expectFailure(
            .readAssay(x, features = c("gene1", "gene99")), "missing_key",
            list(key = "gene99")
        )
        expectFailure(.readAssay(x, experiment = "ADT"), "missing_key")
    })

    test_that(about("assays are written and read back"), {
        x <- make()
        m <- smallCounts(seed = 9L)
        y <- expectQuiet(.writeAssay(x, "velocity", m[8:1, 12:1]))
        expect_equal(as.matrix(.readAssay(y, "velocity")), as.matrix(m))
        expect_true("velocity" %in% .assayNames(y))
        y <- expectQuiet(.writeAssay(y, "velocity", as.matrix(m) * 2))
        expect_equal(as.matrix(.readAssay(y, "velocity")), as.matrix(m) * 2)
        expect_equal(.readAssay(y), .readAssay(x))
        expectFailure(.writeAssay(x, "velocity", m[, 1:3]), "shape")
    })

    test_that(about("embeddings"), {
        x <- make()
        m <- smallEmbedding(.cellNames(x), 3L)
        x <- expectQuiet(.writeEmbedding(x, "X_umap", m))
        for (key in c("X_umap", "umap", "UMAP", "X_UMAP", "x_umap")) {
            if (key != "x_umap") {
                back <- .readEmbedding(x, key)
                expect_equal(unname(back), unname(m))
                expect_identical(rownames(back), rownames(m))
            }
        }
        expect_true("X_umap" %in% .embeddingNames(x))
        expectFailure(.readEmbedding(x, "pca"), "missing_key", list(
            available = "X_umap"
        ))
        y <- suppressWarnings(.writeEmbedding(x, "X_umap", m[12:1, ]))
        expect_equal(unname(.readEmbedding(y, "X_umap")), unname(m))
        expectFailure(.writeEmbedding(x, "a", m[1:3, ]), "container_cells")
        expectFailure(.writeEmbedding(x, "a", unname(m)[1:3, ]), "shape")
    })

    test_that(about("graphs"), {
        x <- make()
        g <- smallGraph(.cellNames(x))
        expect_false(.hasGraph(x, "T_fwd"))
        x <- expectQuiet(.writeGraph(x, "T_fwd", g))
        expect_true(.hasGraph(x, "T_fwd"))
        expect_identical(.graphNames(x), "T_fwd")
        # Explicit zeros included.
        expect_identical(.readGraph(x, "T_fwd"), g)
        shuffled <- withr::with_seed(1, sample(12L))
        y <- expectQuiet(.writeGraph(x, "T_fwd", g[shuffled, shuffled]))
        expect_identical(.readGraph(y, "T_fwd"), g)
        y <- expectQuiet(.writeGraph(x, "T_fwd", as.matrix(g)))
        expect_equal(as.matrix(.readGraph(y, "T_fwd")), as.matrix(g))
        e <- expectFailure(.readGraph(x, "connectivities"), "missing_key")
        expect_match(conditionMessage(e), "buildNeighbors")
        expectFailure(.writeGraph(x, "g", g[1:3, 1:3]), "container_cells")
        expectFailure(.writeGraph(x, "g", g[1:3, ]), "shape")
    })

    test_that(about("distances"), {
        x <- make()
        near <- smallDistances(12L)
        x <- expectQuiet(.writeDistances(
            x, "distances", near$indices, near$distances
        ))
        expect_equal(.readDistances(x, "distances"), near)
        g <- .readGraph(x, "distances")
        expect_equal(g[cbind(1:12, near$indices[, 2])], near$distances[, 2])
        expectFailure(.readDistances(x, "none"), "missing_key")
        expectFailure(
            .writeDistances(x, "d", near$indices[1:3, ], near$distances),
            "shape"
        )
        near$indices[1, 1] <- 13L
        expectFailure(
            .writeDistances(x, "d", near$indices, near$distances), "range"
        )
    })

    test_that(about("columns of cells keep their class"), {
        x <- make()
        values <- list(
            leiden = smallTypes(12L), flag = rep(c(TRUE, NA), 6),
            time = seq_len(12) / 7, label = letters[1:12],
            empty = factor(rep(NA, 12), levels = c("a", "b")),
            stage = factor(rep(1:3, 4), ordered = TRUE)
        )
        x <- expectQuiet(.writeCellData(x, values))
        for (column in names(values)) {
            expect_identical(.readCellData(x, column), values[[column]])
        }
        expect_true(all(names(values) %in% .cellDataNames(x)))
        expect_identical(.readCellData(x, "type"), smallTypes(12L))
        named <- stats::setNames(12:1, rev(.cellNames(x)))
        x <- expectQuiet(.writeCellData(x, list(named = named)))
        expect_identical(.readCellData(x, "named"), 1:12)
        expectFailure(.writeCellData(x, list(a = 1:3)), "shape")
        expectFailure(.writeCellData(x, list(1:12)), "type")
        expectFailure(.readCellData(x, "leidn"), "missing_key")
    })

    test_that(about("columns of features"), {
        x <- make()
        table <- data.frame(
            score = c(0.5, NA, 2), ok = c(TRUE, FALSE, NA),
            row.names = c("gene3", "gene1", "gene8")
        )
        x <- expectQuiet(.writeFeatureData(x, table))
        expect_identical(
            .readFeatureData(x, "score"), c(NA, NA, 0.5, NA, NA, NA, NA, 2)
        )
        expect_identical(.readFeatureData(x, "ok")[3], TRUE)
        expect_true("score" %in% .featureDataNames(x))
        x <- expectQuiet(.writeFeatureData(x, data.frame(rank = 8:1)))
        expect_identical(.readFeatureData(x, "rank"), 8:1)
        rownames(table)[1] <- "unknown"
        expectFailure(.writeFeatureData(x, table), "missing_key")
        expectFailure(.writeFeatureData(x, data.frame(a = 1)), "shape")
        expectFailure(.readFeatureData(x, "none"), "missing_key")
    })

    test_that(about("records and colours"), {
        x <- make()
        expect_null(.readRecord(x, "T_fwd"))
        x <- .writeRecord(x, "coarse_fwd", list(T = diag(2)))
        expect_identical(.readRecord(x, "coarse_fwd"), list(T = diag(2)))
        expect_identical(names(.readMisc(x)), "fatecast")
        expect_null(.readColors(x, "type"))
        x <- .writeColors(x, "type", c(A = "#ff0000", B = "#00ff00"))
        expect_identical(
            .readColors(x, "type"), c(A = "#ff0000", B = "#00ff00")
        )
        expect_true("type_colors" %in% names(.readMisc(x)))
        x <- .writeColors(x, "macrostates_fwd", "red", nested = TRUE)
        expect_identical(.readColors(x, "macrostates_fwd"), "red")
        expect_false("macrostates_fwd_colors" %in% names(.readMisc(x)))
    })

    test_that(about("difficult names"), {
        cells <- paste0("c%", 1:12, " {x} \u00fc")
        x <- make()
        x <- if (name == "SingleCellExperiment") {
            `colnames<-`(x, cells)
        } else {
            SeuratObject::RenameCells(x, new.names = cells)
        }
        expect_identical(.cellNames(x), cells)
        g <- smallGraph(cells)
        key <- "a %s {b} \u00e4"
        x <- expectQuiet(.writeGraph(x, paste(key, "graph"), g))
        expect_identical(.readGraph(x, paste(key, "graph")), g)
        m <- smallEmbedding(cells)
        x <- expectQuiet(.writeEmbedding(x, key, m))
        expect_equal(unname(.readEmbedding(x, key)), unname(m))
        x <- expectQuiet(.writeEmbedding(x, "\u00e4", m))
        expect_equal(unname(.readEmbedding(x, "\u00e4")), unname(m))
        x <- expectQuiet(.writeCellData(x, stats::setNames(
            list(1:12), paste(key, "column")
        )))
        expect_identical(.readCellData(x, paste(key, "column")), 1:12)
        e <- expectFailure(.readCellData(x, "50% {of}"), "missing_key")
        expect_match(conditionMessage(e), "50% {of}", fixed = TRUE)
    })

    test_that(about("results are taken away, the user's own stay"), {
        x <- make()
        cells <- .cellNames(x)
        x <- .writeGraph(x, "T_fwd", smallGraph(cells))
        x <- .writeEmbedding(x, "lineages_fwd", smallEmbedding(cells))
        x <- .writeCellData(x, list(
            absorption_times_fwd.A = 1:12, own = 1:12
        ))
        x <- .writeFeatureData(x, data.frame(
            terminal_lineage_drivers.A_corr = 1:8,
            check.names = FALSE
        ))
        record <- .record("verb", list(), cells = cells)
        x <- .writeRecord(x, "T_fwd", record)
        x <- .writeColors(x, "T_fwd", "red", nested = TRUE)
        x <- .removeResults(x, c(
            "T_fwd", "lineages_fwd", "absorption_times_fwd", "own",
            "terminal_lineage_drivers"
        ))
        expect_identical(.graphNames(x), character())
        expect_identical(.embeddingNames(x), character())
        expect_true("own" %in% .cellDataNames(x))
        expect_false("absorption_times_fwd.A" %in% .cellDataNames(x))
        expect_false(
            "terminal_lineage_drivers.A_corr" %in% .featureDataNames(x)
        )
        expect_length(.readMisc(x), 0L)
    })

    test_that(about("replacing what is not ours warns, ours does not"), {
        x <- make()
        expect_warning(
            .writeCellData(x, list(type = 1:12)),
            class = "fatecast_warning_dropped"
        )
        x <- .writeCellData(x, list(leiden = 1:12))
        x <- .writeRecord(x, "leiden", .record(
            "clusterLeiden", list(),
            cells = .cellNames(x)
        ), nested = FALSE)
        x <- expectQuiet(.writeCellData(x, list(leiden = 12:1)))
        expect_identical(.readCellData(x, "leiden"), 12:1)
    })

    test_that(about("one cell left of many"), {
        x <- make()[, 3L]
        expect_identical(.cellNames(x), "cell3")
        expect_equal(
            as.matrix(.readAssay(x)),
            as.matrix(log1p(smallCounts()[, 3L, drop = FALSE]))
        )
    })

    test_that(about("one cell"), {
        x <- make(n_cells = 1L)
        expect_identical(.cellNames(x), "cell1")
        g <- methods::as(methods::as(Matrix::sparseMatrix(
            i = 1, j = 1, x = 2, dims = c(1, 1),
            dimnames = list("cell1", "cell1")
        ), "generalMatrix"), "CsparseMatrix")
        x <- expectQuiet(.writeGraph(x, "g", g))
        expect_equal(as.matrix(.readGraph(x, "g")), as.matrix(g))
        x <- expectQuiet(.writeEmbedding(x, "one", matrix(1:2, 1)))
        expect_equal(unname(.readEmbedding(x, "one")), matrix(c(1, 2), 1))
        expect_identical(dim(.readAssay(x)), c(8L, 1L))
        near <- list(
            indices = matrix(0L, 1, 0), distances = matrix(0, 1, 0)
        )
        x <- .writeDistances(x, "d", near$indices, near$distances)
        expect_identical(dim(.readDistances(x, "d")$indices), c(1L, 0L))
    })
}

test_that("both classes give the same names and places", {
    skip_if_not_installed("SeuratObject")
    made <- smallContainers()
    same <- lapply(made, function(x) {
        near <- smallDistances(12L)
        x <- .writeDistances(x, "distances", near$indices, near$distances)
        x <- .writeGraph(x, "connectivities", smallGraph(.cellNames(x)))
        list(
            .readDistances(x, "distances"), .readGraph(x, "distances"),
            .readGraph(x, "connectivities"), sort(.graphNames(x))
        )
    })
    for (other in same[-1L]) {
        expect_identical(other, same[[1L]])
    }
})

test_that("pairs of a SingleCellExperiment in any form", {
    x <- smallSCE(n_cells = 3L)
    cells <- .cellNames(x)
    # Unsorted, one pair twice (the last counts), one stored zero.
    SingleCellExperiment::colPair(x, "g") <- S4Vectors::SelfHits(
        c(3, 1, 1, 3), c(1, 2, 3, 1),
        nnode = 3, x = c(9, 0, 2, 4)
    )
    g <- .readGraph(x, "g")
    expect_identical(g@x, c(4, 0, 2))
    expect_identical(g["cell3", "cell1"], 4)
    expect_identical(dimnames(g), list(cells, cells))
    SingleCellExperiment::colPair(x, "bare") <- S4Vectors::SelfHits(
        1:2, 2:3,
        nnode = 3
    )
    expect_identical(.readGraph(x, "bare")@x, c(1, 1))
    SingleCellExperiment::colPair(x, "named") <- S4Vectors::SelfHits(
        1:2, 2:3,
        nnode = 3, label = c("a", "b"), value = 5:6
    )
    expect_identical(.readGraph(x, "named")@x, c(5, 6))
    expect_identical(
        .readDistances(x, "named")$indices, matrix(c(2L, 3L, NA), 3)
    )
})

test_that("alternative experiments and Seurat assays are picked by name", {
    x <- smallSCE()
    SingleCellExperiment::altExp(x, "raw") <- smallSCE(n_features = 5L)
    expect_identical(.featureNames(x, "raw"), paste0("gene", 1:5))
    expect_identical(dim(.readAssay(x, experiment = "raw")), c(5L, 12L))
    x <- .writeFeatureData(x, data.frame(a = 1:5), experiment = "raw")
    expect_identical(.readFeatureData(x, "a", "raw"), 1:5)
    expect_false("a" %in% .featureDataNames(x))
    skip_if_not_installed("SeuratObject")
    s <- smallSeurat()
    s[["ADT"]] <- SeuratObject::CreateAssayObject(
        counts = smallCounts(n_features = 5L)
    )
    expect_identical(.featureNames(s, "ADT"), paste0("gene", 1:5))
    expect_equal(
        as.matrix(.readAssay(s, "ADT")),
        as.matrix(.readAssay(s, "counts", experiment = "ADT"))
    )
    s <- .writeFeatureData(s, data.frame(a = 1:5), experiment = "ADT")
    expect_identical(.readFeatureData(s, "a", "ADT"), 1:5)
    # Other features than the assay's: an assay of its own, once and again.
    m <- smallCounts(n_features = 3L)
    s <- expectQuiet(.writeAssay(s, "fewer", m))
    s <- expectQuiet(.writeAssay(s, "fewer", m * 2))
    expect_equal(as.matrix(.readAssay(s, "fewer")), as.matrix(m) * 2)
    expectFailure(
        .writeAssay(s, "ADT", m), "container_key_taken"
    )
})

test_that("a key of another kind is refused in Seurat", {
    s <- smallSeurat()
    cells <- .cellNames(s)
    s <- .writeEmbedding(s, "umap", smallEmbedding(cells))
    s <- .writeGraph(s, "knn", smallGraph(cells))
    expectFailure(.writeGraph(s, "umap", smallGraph(cells)),
        "container_key_taken", list(key = "umap", taken_by = "reductions"))
    expectFailure(
        .writeEmbedding(s, "RNA", smallEmbedding(cells)), "container_key_taken"
    )
    expectFailure(
        .writeCellData(s, list(knn = 1:12)), "container_key_taken"
    )
    expectFailure(
        .writeGraph(s, "type", smallGraph(cells)), "container_key_taken"
    )
    near <- smallDistances(12L)
    expectFailure(
        .writeDistances(s, "knn", near$indices, near$distances),
        "container_key_taken"
    )
})

test_that("what is written is what Seurat itself reads", {
    s <- smallSeurat()
    cells <- .cellNames(s)
    m <- smallEmbedding(cells)
    s <- .writeEmbedding(s, "lineages_fwd", m)
    s <- .writeEmbedding(s, "lineages.fwd", m)
    s <- .writeGraph(s, "T_fwd", smallGraph(cells))
    s <- .writeRecord(s, "leiden", list(a = 1), nested = FALSE)
    expect_s4_class(s[["T_fwd"]], "Graph")
    expect_identical(SeuratObject::DefaultAssay(s[["T_fwd"]]), "RNA")
    expect_identical(
        SeuratObject::Key(s[["lineages_fwd"]])[[1]], "lineagesfwd_"
    )
    expect_identical(
        colnames(SeuratObject::Embeddings(s[["lineages_fwd"]])),
        c("lineagesfwd_1", "lineagesfwd_2")
    )
    keys <- unlist(SeuratObject::Key(s))
    expect_identical(anyDuplicated(keys), 0L)
    expect_identical(SeuratObject::Misc(s, "leiden"), list(a = 1))
    expect_true(methods::validObject(s))
})

test_that("bare matrices are read, not written", {
    m <- as.matrix(smallGraph(letters[1:5]))
    for (x in list(m, methods::as(m, "dMatrix"), smallGraph(letters[1:5]))) {
        expect_identical(.containerClass(x), "matrix")
        expect_identical(.cellNames(x), letters[1:5])
        expect_equal(as.matrix(.readGraph(x, "any")), m)
        expect_equal(.readEmbedding(x, "any"), m)
        expect_identical(.graphNames(x), character())
        expect_null(.readRecord(x, "any"))
        expectFailure(.writeGraph(x, "g", x), "container_class")
        expectFailure(.writeEmbedding(x, "g", x), "container_class")
        expectFailure(.writeCellData(x, list(a = 1:5)), "container_class")
        expectFailure(.writeRecord(x, "a", list()), "container_class")
        expectFailure(.removeResults(x, "a"), "container_class")
        expectFailure(.readAssay(x), "container_class")
        expectFailure(.readCellData(x, "a"), "container_class")
    }
    expect_identical(.cellNames(unname(m)), paste0("cell", 1:5))
    expectFailure(.readGraph(m[1:3, ], "g"), "shape")
    expectFailure(.readGraph(m[, 5:1], "g"), "container_cells")
})

test_that("other objects are refused, naming what is supported", {
    for (x in list(1:3, NULL, "a", data.frame(a = 1), matrix("a"))) {
        e <- expectFailure(.cellNames(x), "container_class")
        expect_match(conditionMessage(e), "Seurat")
        expectFailure(.readGraph(x, "g"), "container_class")
        expectFailure(.writeGraph(x, "g", 1), "container_class")
    }
    se <- SummarizedExperiment::SummarizedExperiment(list(a = diag(2)))
    e <- expectFailure(.checkContainer(se), "container_class")
    expect_match(conditionMessage(e), "as(x, \"SingleCellExperiment\")",
        fixed = TRUE
    )
})

test_that("cells need names of their own", {
    x <- smallSCE(n_cells = 3L)
    y <- x
    colnames(y) <- c("a", "b", "a")
    expectFailure(.cellNames(y), "duplicate_names", list(names = "a"))
    colnames(y) <- NULL
    e <- expectFailure(.cellNames(y), "duplicate_names")
    expect_match(conditionMessage(e), "colnames(x) <-", fixed = TRUE)
})

test_that("expression on disk stays there", {
    skip_if_not_installed("DelayedArray")
    x <- smallSCE()
    SummarizedExperiment::assay(x, "logcounts") <-
        DelayedArray::DelayedArray(SummarizedExperiment::assay(x, "logcounts"))
    m <- .readAssay(x, features = c("gene2", "gene1"))
    expect_s4_class(m, "DelayedArray")
    expect_identical(dimnames(m), list(c("gene2", "gene1"), .cellNames(x)))
})

test_that("large graphs are written and read quickly", {
    skip_on_cran()
    n <- 20000L
    k <- 50L
    x <- SingleCellExperiment::SingleCellExperiment(list(
        counts = Matrix::sparseMatrix(
            i = integer(), j = integer(), x = numeric(), dims = c(1, n),
            dimnames = list("g", paste0("c", seq_len(n)))
        )
    ))
    # Column c holds rows c, c + 17, c + 34, ... modulo n.
    i <- (rep(seq_len(n), each = k) + 17L * seq_len(k)) %% n
    g <- Matrix::sparseMatrix(
        i = i + 1L, p = k * 0:n, x = as.double(seq_along(i)), dims = c(n, n),
        dimnames = list(colnames(x), colnames(x))
    )
    spent <- system.time({
        x <- .writeGraph(x, "g", g)
        back <- .readGraph(x, "g")
    })
    expect_identical(back, g)
    # 76 s per ten million entries is what the sparse getter would take.
    expect_lt(spent[["user.self"]], 5)
})

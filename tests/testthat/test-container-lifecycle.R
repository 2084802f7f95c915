# What users do to their objects between two steps: results still fit, or are
# refused as stale.

# A graph, distances, an embedding and labels, with their records.
withResults <- function(x) {
    cells <- .cellNames(x)
    near <- smallDistances(length(cells))
    x <- .writeGraph(x, "connectivities", smallGraph(cells))
    x <- .writeDistances(x, "distances", near$indices, near$distances)
    x <- .writeEmbedding(x, "umap", smallEmbedding(cells))
    x <- .writeCellData(x, list(leiden = smallTypes(length(cells))))
    x <- .writeRecord(x, "neighbors", .record(
        "buildNeighbors", list(n_neighbors = 3),
        cells = cells, keys = c("umap", "leiden")
    ), nested = FALSE)
    .writeRecord(x, "T_fwd_params", .record(
        "writeToObject", list(),
        cells = cells, keys = "T_fwd"
    ))
}

# The same where the records were lost, so that what is there counts as foreign.
againWithResults <- function(x) {
    suppressWarnings(withResults(x), classes = "fatecast_warning_dropped")
}

rename <- function(x, cells) {
    if (is(x, "Seurat")) {
        return(SeuratObject::RenameCells(x, new.names = cells))
    }
    colnames(x) <- cells
    x
}

for (name in names(smallContainers())) {
    make <- function(...) withResults(smallContainers(...)[[name]])
    about <- function(text) paste0(text, ": ", name)

    test_that(about("untouched objects are fresh"), {
        x <- make()
        expect_false(any(fateHistory(x)$stale))
        expect_identical(.readGraph(x, "connectivities"), smallGraph(
            .cellNames(x)
        ))
        expect_identical(.checkFresh(x, "connectivities"), x)
        expect_identical(.checkFresh(x, "nothing of ours"), x)
    })

    test_that(about("subsetting makes graphs stale, columns stay"), {
        x <- make()
        y <- x[, c(2:7, 12L)]
        expect_true(all(fateHistory(y)$stale))
        for (key in c("connectivities", "distances")) {
            e <- expectFailure(.readGraph(y, key), "container_stale", list(
                verb = "buildNeighbors", n_cells = c(12L, 7L)
            ))
            expect_match(conditionMessage(e), "buildNeighbors()", fixed = TRUE)
        }
        expectFailure(.readDistances(y, "distances"), "container_stale")
        expectFailure(.checkFresh(y, "T_fwd"), "container_stale")
        expect_identical(
            .readCellData(y, "leiden"), .readCellData(x, "leiden")[c(2:7, 12L)]
        )
        expect_equal(
            .readEmbedding(y, "umap"),
            .readEmbedding(x, "umap")[c(2:7, 12L), ]
        )
        # A step run again makes them fresh.
        y <- withResults(y)
        expect_false(any(fateHistory(y)$stale))
        expect_identical(
            .readGraph(y, "connectivities"), smallGraph(.cellNames(y))
        )
    })

    test_that(about("renamed cells are refused"), {
        x <- make()
        y <- rename(x, paste0("other", 1:12))
        expectFailure(.readGraph(y, "connectivities"), "container_stale")
        expect_true(all(fateHistory(y)$stale))
        expect_equal(
            unname(.readEmbedding(y, "umap")),
            unname(.readEmbedding(x, "umap"))
        )
    })

    test_that(about("saving and loading keeps everything"), {
        x <- make()
        file <- withr::local_tempfile()
        saveRDS(x, file)
        y <- readRDS(file)
        expect_identical(
            .readGraph(y, "connectivities"), .readGraph(x, "connectivities")
        )
        expect_identical(fateHistory(y), fateHistory(x))
    })

    test_that(about("subsetting features changes nothing"), {
        x <- make()
        y <- x[1:4, ]
        expect_false(any(.isStale(.readRecord(y, "neighbors"), y)))
        expect_identical(.readCellData(y, "leiden"), .readCellData(x, "leiden"))
    })
}

test_that("cells in another order keep fitting", {
    x <- withResults(smallSCE())
    shuffled <- withr::with_seed(3, sample(12L))
    y <- x[, shuffled]
    expect_false(any(fateHistory(y)$stale))
    cells <- .cellNames(y)
    expect_identical(
        as.matrix(.readGraph(y, "connectivities")),
        as.matrix(.readGraph(x, "connectivities"))[cells, cells]
    )
    near <- .readDistances(y, "distances")
    before <- .readDistances(x, "distances")
    expect_identical(
        matrix(cells[near$indices], 12L),
        matrix(.cellNames(x)[before$indices], 12L)[shuffled, ]
    )
})

test_that("distances keep the neighbours that are left", {
    x <- smallSCE()
    near <- smallDistances(12L)
    x <- .writeDistances(x, "mine", near$indices, near$distances)
    y <- x[, 1:6]
    left <- .readDistances(y, "mine")
    for (i in 1:6) {
        kept <- near$indices[i, near$indices[i, ] <= 6L]
        found <- left$indices[i, ]
        expect_identical(found[!is.na(found)], kept)
        expect_identical(is.na(left$distances[i, ]), is.na(found))
    }
    expect_true(anyNA(left$indices))
})

test_that("cbind leaves block graphs that are refused", {
    x <- withResults(smallSCE())
    y <- x
    colnames(y) <- paste0("second", 1:12)
    both <- SingleCellExperiment::cbind(x, y)
    expectFailure(.readGraph(both, "connectivities"), "container_stale")
    expect_identical(.recordKeys(both), .recordKeys(x))
    expect_identical(nrow(fateHistory(both)), 2L)
    both <- withResults(both)
    expect_false(any(fateHistory(both)$stale))
})

test_that("merged Seurat objects hold nothing stale", {
    skip_if_not_installed("SeuratObject")
    x <- withResults(smallSeurat())
    y <- SeuratObject::RenameCells(x, new.names = paste0("second", 1:12))
    both <- suppressWarnings(merge(x, y))
    expect_length(.cellNames(both), 24L)
    if ("neighbors" %in% .recordKeys(both)) {
        expectFailure(.readGraph(both, "connectivities"), "container_stale")
    } else {
        expectFailure(.readGraph(both, "connectivities"), "missing_key")
    }
    expect_identical(dim(.readAssay(both, "counts")), c(8L, 24L))
    expect_identical(colnames(.readAssay(both, "counts")), .cellNames(both))
    both <- againWithResults(both)
    expect_identical(
        .readGraph(both, "connectivities"), smallGraph(.cellNames(both))
    )
})

test_that("a Seurat graph is matched by name, not by position", {
    skip_if_not_installed("SeuratObject")
    x <- smallSeurat()
    g <- smallGraph(.cellNames(x))
    other <- SeuratObject::as.Graph(g[12:1, 12:1])
    slot(x, "graphs")[["own"]] <- other
    expect_identical(.readGraph(x, "own"), g)
    dimnames(other) <- list(LETTERS[1:12], LETTERS[1:12])
    slot(x, "graphs")[["own"]] <- other
    expectFailure(.readGraph(x, "own"), "container_cells")
})

test_that("neighbour lists of Seurat lose the cell itself", {
    skip_if_not_installed("SeuratObject")
    x <- smallSeurat()
    near <- smallDistances(12L)
    # Seurat's own lists begin with the cell, and may be in another order.
    flip <- 12:1
    slot(x, "neighbors")[["nn"]] <- methods::new(
        methods::getClass("Neighbor", where = asNamespace("SeuratObject")),
        nn.idx = 13L - cbind(1:12, near$indices)[flip, ],
        nn.dist = cbind(0, near$distances)[flip, ],
        alg.idx = NULL, alg.info = list(), cell.names = .cellNames(x)[flip]
    )
    expect_equal(.readDistances(x, "nn"), near)
})

test_that("converting between the classes keeps results or says so", {
    skip_if_not_installed("Seurat")
    x <- withResults(smallSCE())
    s <- suppressWarnings(Seurat::as.Seurat(x))
    expect_identical(.cellNames(s), .cellNames(x))
    expect_identical(.readCellData(s, "leiden"), .readCellData(x, "leiden"))
    expect_equal(
        unname(.readEmbedding(s, "umap")), unname(.readEmbedding(x, "umap"))
    )
    # Pairs of cells are not carried over.
    expectFailure(.readGraph(s, "connectivities"), "missing_key")
    back <- suppressWarnings(Seurat::as.SingleCellExperiment(s))
    expect_identical(.readCellData(back, "leiden"), .readCellData(x, "leiden"))
    expect_equal(
        unname(.readEmbedding(back, "umap")), unname(.readEmbedding(x, "umap"))
    )
    expectFailure(.readGraph(back, "connectivities"), "missing_key")
    again <- againWithResults(s)
    expect_identical(
        .readGraph(again, "connectivities"), .readGraph(x, "connectivities")
    )
})

test_that("split layers are joined on reading, the object untouched", {
    skip_if_not(hasLayers())
    x <- smallSeurat()
    m <- smallCounts()
    batch <- rep(c("one", "two", "three"), 4)
    x[["RNA"]] <- split(x[["RNA"]], f = batch)
    before <- x
    expect_equal(as.matrix(.readAssay(x)), as.matrix(log1p(m)))
    expect_equal(as.matrix(.readAssay(x, "counts")), as.matrix(m))
    expect_identical(colnames(.readAssay(x)), .cellNames(x))
    expect_identical(x, before)
    expect_setequal(.assayNames(x), c("counts", "data"))
})

test_that("parts of a split layer may have different features", {
    skip_if_not(hasLayers())
    m <- smallCounts()
    one <- SeuratObject::CreateSeuratObject(m[1:6, 1:5])
    two <- SeuratObject::CreateSeuratObject(m[3:8, 6:12])
    both <- merge(one, two)
    counts <- .readAssay(both, "counts")
    wanted <- m
    wanted[7:8, 1:5] <- 0
    wanted[1:2, 6:12] <- 0
    expect_equal(
        as.matrix(counts)[rownames(m), colnames(m)], as.matrix(wanted)
    )
    e <- expectFailure(.readAssay(both), "missing_key")
    expect_match(conditionMessage(e), "NormalizeData")
})

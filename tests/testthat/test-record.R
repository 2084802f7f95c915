test_that("records hold arguments as plain data", {
    record <- .record(
        "verb", list(
            none = NULL, k = 3, f = function(x) x + 1,
            m = matrix(0, 2, 3), g = smallGraph(letters), long = runif(2000),
            nested = list(e = new.env(), q = quote(a + b))
        ), list(threads = 2L), letters
    )
    expect_s3_class(record, "fatecast_record")
    expect_named(
        record$params, c("none", "k", "f", "m", "g", "long", "nested")
    )
    expect_null(record$params$none)
    expect_match(record$params$f, "x + 1", fixed = TRUE)
    expect_identical(record$params$m$dim, c(2L, 3L))
    expect_identical(record$params$g$class, "dgCMatrix")
    expect_identical(record$params$long$length, 2000L)
    expect_identical(record$params$nested$q, "a + b")
    expect_identical(record$run$threads, 2L)
    expect_s3_class(record$run$time, "POSIXct")
    file <- withr::local_tempfile()
    saveRDS(record, file)
    expect_identical(readRDS(file), record)
    expect_lt(file.size(file), 5000)
})

test_that("digests see values, and cell names in any order", {
    a <- matrix(1:6 / 7, 2)
    expect_identical(.portable(a), .portable(a))
    b <- a
    b[1] <- 0
    expect_false(identical(.portable(a), .portable(b)))
    expect_identical(.cellDigest(letters), .cellDigest(rev(letters)))
    latin <- "caf\xe9"
    Encoding(latin) <- "latin1"
    expect_identical(.cellDigest(latin), .cellDigest("caf\u00e9"))
    expect_false(identical(.cellDigest("a"), .cellDigest(c("a", "b"))))
    # The same on every version of R, so that saved objects stay fresh.
    expect_identical(
        .cellDigest(c("b", "a", "\u00fc")), "3bba2683756884a715b4e71b0067bad4"
    )
})

for (name in names(smallContainers())) {
    test_that(paste("two runs under two keys stay apart:", name), {
        x <- smallContainers()[[name]]
        cells <- .cellNames(x)
        one <- .record("clusterLeiden", list(resolution = 0.5), cells = cells)
        two <- .record("clusterLeiden", list(resolution = 1), cells = cells)
        before <- names(.readMisc(x))
        x <- .writeRecord(x, "leiden_0.5", one, nested = FALSE)
        x <- .writeRecord(x, "leiden_1", two, nested = FALSE)
        expect_identical(
            setdiff(names(.readMisc(x)), before), c("leiden_0.5", "leiden_1")
        )
        expect_identical(.readRecord(x, "leiden_0.5"), one)
        expect_identical(parameters(x, "leiden_1"), list(resolution = 1))
        x <- .writeRecord(x, "leiden_1", one, nested = FALSE)
        expect_identical(.readRecord(x, "leiden_0.5"), one)
        expect_identical(.recordKeys(x), c("leiden_0.5", "leiden_1"))
    })

    test_that(paste("parameters() and fateHistory():", name), {
        x <- smallContainers()[[name]]
        cells <- .cellNames(x)
        expect_identical(nrow(fateHistory(x)), 0L)
        expectFailure(parameters(x, "leiden"), "missing_key")
        x <- .writeRecord(x, "T_fwd_params", .record(
            "writeToObject", list(a = 1), list(
                time = as.POSIXct(20, origin = "1970-01-01")
            ), cells,
            keys = "T_fwd"
        ))
        x <- .writeRecord(x, "neighbors", .record(
            "buildNeighbors", list(n_neighbors = 3), list(
                time = as.POSIXct(10, origin = "1970-01-01"), threads = 2
            ), cells[-1L]
        ), nested = FALSE)
        expect_identical(parameters(x, "T_fwd"), list(a = 1))
        e <- expectFailure(parameters(x, "neighbor"), "missing_key", list(
            available = c("neighbors", "T_fwd_params")
        ))
        expect_match(conditionMessage(e), "Did you mean `neighbors`")
        history <- fateHistory(x)
        expect_named(
            history, c("key", "verb", "version", "time", "threads", "stale")
        )
        expect_identical(history$key, c("neighbors", "T_fwd_params"))
        expect_identical(history$stale, c(TRUE, FALSE))
        expect_identical(history$threads, c(2L, NA))
        expectFailure(parameters(x, "T_fwd", nested = 1), "unknown_argument")
        expectFailure(fateHistory(x, key = 1), "unknown_argument")
    })

    test_that(paste("a key of another verb is refused:", name), {
        x <- smallContainers()[[name]]
        record <- .record("buildNeighbors", list(), cells = .cellNames(x))
        x <- .writeRecord(x, "neighbors", record, nested = FALSE)
        other <- .record("clusterLeiden", list(), cells = .cellNames(x))
        expectFailure(
            .writeRecord(x, "neighbors", other, nested = FALSE),
            "container_key_taken", list(key = "neighbors")
        )
        expect_identical(
            .checkKeyFree(x, "neighbors", "buildNeighbors"), "neighbors"
        )
    })
}

test_that("entries that are not ours are not records", {
    x <- smallSCE()
    S4Vectors::metadata(x) <- list(neighbors = list(params = 1), fatecast = 3)
    expect_identical(.recordKeys(x), character())
    expectFailure(parameters(x, "neighbors"), "missing_key")
    record <- .record("buildNeighbors", list(), cells = .cellNames(x))
    expect_warning(
        x <- .writeRecord(x, "neighbors", record, nested = FALSE),
        class = "fatecast_warning_dropped"
    )
    expect_identical(.recordKeys(x), "neighbors")
})

test_that("other objects are refused by class", {
    expectFailure(parameters(1, "a"), "container_class")
    expectFailure(fateHistory(list()), "container_class")
})

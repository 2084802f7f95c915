test_that("threads come from argument, option, environment, machine", {
    withr::local_options(fatecast.threads = NULL)
    withr::local_envvar(FATECAST_NUM_THREADS = NA)
    expect_identical(.threads(3), 3L)
    expect_gte(.threads(), 1L)
    withr::local_envvar(FATECAST_NUM_THREADS = "5")
    expect_identical(.threads(), 5L)
    withr::local_options(fatecast.threads = 4)
    expect_identical(.threads(), 4L)
    expect_identical(.threads(2), 2L)
    expectFailure(.threads(0), "range")
    expectFailure(.threads("two"), "type")
    withr::local_options(fatecast.threads = NULL)
    withr::local_envvar(FATECAST_NUM_THREADS = "many")
    expectFailure(.threads(), "type")
})

test_that("a failure in Rust becomes a condition with its text intact", {
    e <- expectFailure(
        .unwrap(rs_selftest("failure", 0, 2L, NULL)), "no_state"
    )
    expect_match(
        conditionMessage(e), "100% of {cells} %s%n \\0 are \u00e4hnlich",
        fixed = TRUE
    )
})

test_that("a panic on any thread is an internal error, and R lives on", {
    for (what in c("panic", "worker-panic")) {
        for (k in 1:3) {
            e <- expectFailure(
                .unwrap(rs_selftest(what, 0, 4L, NULL)), "internal"
            )
        }
    }
    expect_match(conditionMessage(e), "of 100%", fixed = TRUE)
    expect_identical(.unwrap(rs_selftest("wait", 0, 2L, NULL)), 0)
})

test_that("memory that cannot be reserved is an error", {
    e <- expectFailure(.unwrap(rs_selftest("memory", 0, 1L, NULL)), "memory")
    expect_gt(e$bytes, 1e15)
})

test_that("progress is told to the R function, and its error stops the job", {
    seen <- numeric()
    count <- function(done, total) {
        seen[length(seen) + 1L] <<- done
        expect_identical(total, 1e6)
    }
    expect_gt(.unwrap(rs_selftest("wait", 0.5, 2L, count)), 0)
    expect_gt(length(seen), 1L)
    expect_false(is.unsorted(seen))
    started <- Sys.time()
    result <- rs_selftest("wait", 20, 2L, function(done, total) stop("enough"))
    expect_identical(result$kind, "interrupted")
    expect_lt(as.numeric(Sys.time() - started, units = "secs"), 5)
})

test_that("silent by default, forced by TRUE", {
    expect_null(.progress(FALSE))
    expect_true(is.function(.progress(TRUE)))
    expectFailure(.progress("yes"), "type")
    if (!interactive()) expect_null(.progress(NULL))
})

test_that("an interrupt stops a job in another process and R goes on", {
    skip_on_os("windows")
    child <- inChild(c(
        "pid <- Sys.getpid()",
        "system(paste('(sleep 1; kill -INT', pid, ') &'))",
        "t0 <- Sys.time()",
        "r <- tryCatch(",
        "    fatecast:::.unwrap(fatecast:::rs_selftest('wait', 30, 2L, NULL)),",
        "    interrupt = function(i) 'stopped')",
        "cat(r, as.numeric(Sys.time() - t0, units = 'secs') < 5,",
        "    nrow(simulateDifferentiation(50, 20, n_threads = 1)))"
    ))
    expect_match(child$output, "stopped TRUE 20")
    expect_identical(child$status, 0L)
})

test_that("forked children and BiocParallel workers use one thread and finish", {
    skip_on_os("windows")
    child <- inChild(c(
        "m <- as.matrix(dist(matrix(sin(1:60), 20))); m <- exp(-m)",
        "run <- function(i) {",
        "    k <- computeTransitionMatrix(ConnectivityKernel(m))",
        "    c(sum(transitionMatrix(k)), fatecast:::.threads())",
        "}",
        "run(1)",
        "a <- parallel::mclapply(1:4, run, mc.cores = 2)",
        "b <- BiocParallel::bplapply(1:4, run,",
        "    BPPARAM = BiocParallel::MulticoreParam(2))",
        "d <- BiocParallel::bplapply(1:2, function(i) fatecast:::.threads(),",
        "    BPPARAM = BiocParallel::SnowParam(2))",
        "cat(round(range(unlist(c(a, b))), 6), unlist(d))"
    ))
    expect_match(child$output, "1 20 1 1")
    expect_identical(child$status, 0L)
})

# The one way to start long work: threads, progress, interrupts, record of a
# run.

# Number of threads: argument, option, environment, then what the machine allows
# (cgroups, affinity, batch systems and check limits); 1 in a parallel worker.
.threads <- function(n_threads = NULL, call = rlang::caller_env()) {
    chosen <- n_threads
    if (is.null(chosen)) chosen <- getOption("fatecast.threads")
    if (is.null(chosen)) {
        set <- Sys.getenv("FATECAST_NUM_THREADS")
        if (nzchar(set)) chosen <- suppressWarnings(as.numeric(set))
    }
    if (is.null(chosen)) {
        if (.inWorker()) return(1L)
        return(max(1L, as.integer(parallelly::availableCores())))
    }
    .checkCount(chosen, 1, 1024, arg = "n_threads", call = call)
}

# TRUE inside a forked child or a BiocParallel worker.
.inWorker <- function() {
    forked <- !identical(.state$pid, Sys.getpid())
    if (forked) return(TRUE)
    loops <- c(".bpworker_impl", "bploop.lapply", ".workRSOCK")
    heads <- vapply(
        sys.calls(), function(call) deparse(call[[1L]], nlines = 1L)[1L], ""
    )
    any(sub("^.*:::?", "", heads) %in% loops)
}

.state <- new.env(parent = emptyenv())

# NULL when silent, else a closure of (steps done, steps in all). NULL as the
# argument shows a bar in interactive sessions once a step has lasted a second
# and is expected to last over two.
.progress <- function(show_progress_bar = NULL, label = "Working",
                      call = rlang::caller_env()) {
    show <- .checkFlag(
        show_progress_bar, null = TRUE, arg = "show_progress_bar", call = call
    )
    if (isFALSE(show) || (is.null(show) && !interactive())) return(NULL)
    started <- Sys.time()
    bar <- NULL
    parent <- parent.frame(2L)
    function(done, total) {
        elapsed <- as.numeric(difftime(Sys.time(), started, units = "secs"))
        if (is.null(bar)) {
            slow <- elapsed / max(done, 1) * total > 2
            if (!isTRUE(show) && !(elapsed > 1 && slow)) return(invisible())
            bar <<- cli::cli_progress_bar(
                label, total = total, .auto_close = TRUE, .envir = parent
            )
        }
        cli::cli_progress_update(
            set = done, total = total, id = bar, .envir = parent
        )
    }
}

# A job: what every verb that calls Rust makes first.
.job <- function(n_threads = NULL, show_progress_bar = NULL,
                 label = "Working", call = rlang::caller_env()) {
    list(
        threads = .threads(n_threads, call),
        progress = .progress(show_progress_bar, label, call),
        started = proc.time()[["elapsed"]], call = call
    )
}

# Calls a native function within a job and turns a failure into a condition.
.native <- function(job, fn, ..., cell_names = NULL, advice = NULL) {
    .unwrap(
        fn(..., job$threads, job$progress),
        advice = advice, call = job$call, cell_names = cell_names
    )
}

# What the record says of a run; `...` are residuals and the like.
.run <- function(job, ...) {
    list(
        threads = job$threads,
        seconds = proc.time()[["elapsed"]] - job$started, ...
    )
}

# Slots of a dgCMatrix for a native call, and a dgCMatrix from what comes back.
.slots <- function(m) list(m@p, m@i, m@x, m@Dim)

# What Rust made needs no second look: slot by slot, new() does not check.
.fromSlots <- function(slots, rows = NULL, columns = rows) {
    m <- methods::new("dgCMatrix")
    m@p <- slots$p
    m@i <- slots$i
    m@x <- slots$x
    m@Dim <- slots$dim
    m@Dimnames <- list(rows, columns)
    m
}

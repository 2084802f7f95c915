# The steps of an estimator: where each is stored, which call makes it, which
# results it rests on, and how it is written, read, described and renamed.

# One step. `key(backward)` names its record; `needs` are the steps it rests
# on; `write(object, x, key)` puts its result into the object of estimator
# `x`; `read(object, record, key)` is the result as the estimator held it, or
# NULL when the object lacks a part of it; `describe(result, run, params)`
# says in one line what is known and how well; `rename(result, new)` gives
# lineages the names `new`, a character vector named by the old ones.
.newStep <- function(key, call, needs, write, read, describe,
                     rename = function(result, new) result) {
    list(
        key = key, call = call, needs = needs, write = write, read = read,
        describe = describe, rename = rename
    )
}

# Every step, each after those it rests on.
.steps <- function() {
    list(
        eigen = .stepEigen,
        schur = .stepSchur,
        macrostates = .stepMacrostates,
        tsi = .stepTsi,
        initial = .stepInitial,
        terminal = .stepTerminal,
        fates = .stepFates,
        times = .stepTimes,
        priming = .stepPriming,
        drivers = .stepDrivers,
        uncertainty = .stepUncertainty
    )
}

# The steps an estimator has results of, in order.
.stepsOf <- function(x) intersect(names(.steps()), names(x@results))

# The key under which a step is stored, and its parameters remembered.
.stepKey <- function(x, step) .steps()[[step]]$key(x@kernel@backward)

# The estimator with the result of a step; what rested on an earlier result of
# that step goes.
.setStep <- function(x, step, result, params, run) {
    x <- .dropDependents(x, step)
    x@results[[step]] <- result
    x@params[[.stepKey(x, step)]] <- params
    x@run[[.stepKey(x, step)]] <- run
    x
}

.dropStep <- function(x, step) {
    key <- .stepKey(x, step)
    x@results[[step]] <- NULL
    x@params[[key]] <- NULL
    x@run[[key]] <- NULL
    x
}

.dropDependents <- function(x, step) {
    rests <- vapply(.steps(), function(s) step %in% s$needs, logical(1))
    for (later in intersect(names(.steps())[rests], names(x@results))) {
        x <- .dropStep(.dropDependents(x, later), later)
    }
    x
}

# The steps that rest on this one, directly or not, in order.
.dependentSteps <- function(step) {
    steps <- .steps()
    found <- step
    for (each in names(steps)) {
        if (any(steps[[each]]$needs %in% found)) found <- c(found, each)
    }
    found[-1L]
}

# The result of a step, or an error that names the call to make.
.step <- function(x, step, call = rlang::caller_env()) {
    result <- x@results[[step]]
    if (is.null(result)) {
        make <- .steps()[[step]]$call
        .abort(
            "not_computed", paste0("This needs the result of ", make, "."),
            paste0("Run ", make, " first."), step = step, call = call
        )
    }
    result
}

# What is known after a step, and how good it is, in one line.
.describeStep <- function(x, step) {
    key <- .stepKey(x, step)
    .steps()[[step]]$describe(
        x@results[[step]], x@run[[key]], x@params[[key]]
    )
}

# A number for a line of text.
.brief <- function(v) format(signif(v, 3))

# Records: how each stored result was made.

#' Parameters of a stored result
#'
#' Every verb that writes a result keeps a record beside it: the verb, all its
#' scientific arguments after defaults, and how the run went. `parameters()`
#' returns the arguments of one record; `fateHistory()` lists all records.
#'
#' Arguments that are matrices are kept as class, dimension and digest,
#' functions as their text, vectors longer than 1,000 elements as length and
#' digest. A record whose result no longer belongs to the cells of the object,
#' because cells were removed, added or renamed since, is marked stale; the
#' order of the cells does not matter. Cost: linear in the number of cells.
#' Randomness and threads: not applicable.
#'
#' @param x a `SingleCellExperiment` or `Seurat` object.
#' @param key name of the record, for example the `key_added` of a verb, or a
#'   name that `fateHistory()` lists.
#' @param ... not used; anything here is an error.
#' @return `parameters()`: a named list. `fateHistory()`: a data frame with one
#'   row per record, oldest first, and the columns `key`, `verb`, `version`,
#'   `time`, `threads` and `stale`.
#' @section Conditions: `fatecast_error_missing_key` when there is no such
#'   record, `fatecast_error_container_class` for other objects.
#' @examples
#' sce <- SingleCellExperiment::SingleCellExperiment(
#'     list(counts = matrix(1, 2, 3, dimnames = list(NULL, letters[1:3])))
#' )
#' fateHistory(sce)
#' @name parameters
#' @aliases fateHistory
#' @include AllGenerics.R
NULL

# `cells` are the names of the cells the result belongs to; `keys` the names
# under which results were written, where they differ from the record's own.
.record <- function(verb, params, run = list(), cells, keys = NULL) {
    fixed <- list(version = .packageVersion(), time = Sys.time())
    structure(
        list(
            verb = verb,
            params = lapply(params, .portable),
            run = utils::modifyList(fixed, run),
            cells = .cellDigest(cells),
            n_cells = length(cells),
            keys = enc2utf8(as.character(keys))
        ),
        class = "fatecast_record"
    )
}

# Sorted in the C locale, so that neither the order of the cells nor the
# locale changes the digest.
#' @importFrom rlang hash
.cellDigest <- function(cells) {
    hash(sort(enc2utf8(as.character(cells)), method = "radix"))
}

# An argument as plain R data that survives saveRDS and stays small.
.portable <- function(x) {
    if (is.function(x)) {
        return(paste(deparse(x), collapse = "\n"))
    }
    if (is.language(x)) {
        return(paste(deparse(x), collapse = "\n"))
    }
    if (is.environment(x) || typeof(x) == "externalptr") {
        return(list(class = class(x)))
    }
    if (length(dim(x)) == 2L) {
        return(list(class = class(x)[1L], dim = dim(x), digest = .digest(x)))
    }
    if (isS4(x)) {
        return(list(class = class(x)[1L], digest = hash(x)))
    }
    if (is.atomic(x) && length(x) > 1000L) {
        return(list(
            class = class(x)[1L], length = length(x),
            digest = hash(as.vector(x))
        ))
    }
    if (is.list(x)) {
        return(lapply(unclass(x), .portable))
    }
    x
}

# Of the values alone: caches that matrix classes carry must not matter.
.digest <- function(x) {
    if (methods::is(x, "CsparseMatrix") && methods::is(x, "dMatrix")) {
        return(hash(list(x@p, x@i, x@x, x@Dim)))
    }
    if (is.matrix(x)) {
        return(hash(list(as.vector(x), dim(x))))
    }
    hash(x)
}

.isRecord <- function(x) inherits(x, "fatecast_record")

.isStale <- function(record, x) {
    !is.null(record$cells) &&
        !identical(record$cells, .cellDigest(.cellNames(x)))
}

# All records of the object, by key; of two entries the first counts.
.records <- function(x) {
    keys <- .recordKeys(x)
    names(keys) <- keys
    lapply(keys, .readRecord, x = x)
}

# Whether a record kept under `at` speaks of the result `key`.
.recordCovers <- function(at, record, key) {
    keys <- c(at, sub("_params$", "", at), record$keys)
    if (identical(record$verb, "buildNeighbors")) {
        keys <- c(keys, unlist(.keyNeighbors(at)))
    }
    key %in% keys || tolower(key) %in% tolower(at)
}

# The record that speaks of `key`, with its name as attribute, or NULL. The
# record of that very name comes first.
.recordFor <- function(x, key) {
    records <- .records(x)
    for (at in unique(c(intersect(key, names(records)), names(records)))) {
        if (.recordCovers(at, records[[at]], key)) {
            return(records[[at]])
        }
    }
    NULL
}

# Refuses a result whose cells are no longer those of the object. A result
# without a record is the user's own and passes.
.checkFresh <- function(x, key, call = rlang::caller_env()) {
    record <- .recordFor(x, key)
    if (is.null(record) || !.isStale(record, x)) {
        return(invisible(x))
    }
    n <- length(.cellNames(x))
    .abort(
        "container_stale", paste0(
            "The result ", .someNames(key), " was computed on ",
            .count(record$n_cells, "cell"),
            ", which are no longer the cells of the object (",
            .count(n, "cell"), " now)."
        ), paste0(
            "Run ", record$verb, "() again: cells were removed, added, merged ",
            "or renamed since."
        ),
        key = key, verb = record$verb, n_cells = c(record$n_cells, n),
        call = call
    )
}

# Refuses a key that holds the record of another verb.
.checkKeyFree <- function(x, key, verb, call = rlang::caller_env()) {
    held <- .readRecord(x, key)
    if (.isRecord(held) && !identical(held$verb, verb)) {
        .abort(
            "container_key_taken", paste0(
                "The key ", .someNames(key), " holds a result of ",
                held$verb, "()."
            ), "Choose another `key_added`.",
            key = key, verb = held$verb, call = call
        )
    }
    invisible(key)
}

# Whether one of our verbs wrote the result `key`.
.isOurs <- function(x, key) {
    simulated <- key %in% .keysSimulated &&
        .isRecord(.readRecord(x, .keySimulation))
    .isChainKey(key) || simulated || !is.null(.recordFor(x, key))
}

# Writing over something that the user, or another package, put there.
.warnForeign <- function(x, key, present, what) {
    key <- key[key %in% present]
    foreign <- key[!vapply(key, .isOurs, logical(1), x = x)]
    if (length(foreign)) {
        .warn(
            "dropped", paste0(
                "The ", what, " ", .someNames(foreign),
                " was not written by fatecast and has been replaced."
            ), "Use another key to keep both.",
            key = unname(foreign)
        )
    }
}

.parametersOf <- function(x, key, ..., call = rlang::caller_env()) {
    .checkDots(..., .formals = c("x", "key"), .call = call)
    key <- .checkString(key, call = call)
    for (name in c(key, .keyParams(key))) {
        record <- .readRecord(x, name)
        if (.isRecord(record)) {
            return(record$params)
        }
    }
    .missingKey("record", key, .recordKeys(x), call = call)
}

.historyOf <- function(x, ..., call = rlang::caller_env()) {
    .checkDots(..., .formals = "x", .call = call)
    records <- .records(x)
    text <- function(of) {
        vapply(records, of, character(1), USE.NAMES = FALSE)
    }
    orNA <- function(value, none) if (is.null(value)) none else value[[1L]]
    time <- vapply(records, function(r) {
        as.double(orNA(r$run$time, NA))
    }, numeric(1), USE.NAMES = FALSE)
    history <- data.frame(
        key = as.character(names(records)),
        verb = text(function(r) r$verb),
        version = text(function(r) orNA(r$run$version, NA_character_)),
        time = as.POSIXct(time, origin = "1970-01-01"),
        threads = vapply(records, function(r) {
            as.integer(orNA(r$run$threads, NA))
        }, integer(1), USE.NAMES = FALSE),
        stale = vapply(records, .isStale, logical(1), x = x, USE.NAMES = FALSE)
    )
    history <- history[order(history$time), , drop = FALSE]
    rownames(history) <- NULL
    history
}

# Objects of other classes are refused by the adapter with a classed error.

#' @rdname parameters
#' @export
setMethod("parameters", "ANY", function(x, key, ...) {
    .checkContainer(x)
    .parametersOf(x, key, ...)
})

#' @rdname parameters
#' @export
setMethod("fateHistory", "ANY", function(x, ...) {
    .checkContainer(x)
    .historyOf(x, ...)
})

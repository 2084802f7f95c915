# Conditions: every failure, warning and message of the package is made here.

#' Conditions raised by fatecast
#'
#' Every failure of the package is an error of class
#' `fatecast_error_<kind>`, `fatecast_error_<family>`, `fatecast_error`, so
#' that code can catch one kind, one family or all of them. The message says
#' what was wrong, where (slot, key, names, counts) and what to do next; the
#' condition carries the same facts as fields. Nothing half-computed is stored
#' when an error is raised. Stopping a computation from the keyboard gives R's
#' own `interrupt` condition, not an error.
#'
#' @section Errors, by family:
#' \describe{
#'   \item{`input`}{`shape` (sizes that do not fit), `type` (wrong class),
#'     `range` (values outside what is allowed, missing or infinite values),
#'     `missing_key` (a name the object does not hold), `not_stochastic` (rows
#'     that do not sum to one), `duplicate_names` (cell or feature names that
#'     are repeated or absent), `unknown_argument` (an argument that the
#'     function does not have).}
#'   \item{`container`}{`container_class` (an object of an unsupported class,
#'     or writing to a bare matrix), `container_stale` (a result computed
#'     before cells were removed, added or renamed), `container_cells` (cell
#'     names of a stored result and of the object differ),
#'     `container_key_taken` (the key belongs to something else).}
#'   \item{`state`}{`not_computed` (a step is missing; names the call to
#'     make).}
#'   \item{`numeric`}{`not_converged`, `singular`, `disconnected`,
#'     `unreachable`, `no_state`.}
#'   \item{`resource`}{`memory`, `threads`, `worker`.}
#'   \item{`internal`}{`internal` (a defect of the package; please report it
#'     with the message).}
#' }
#'
#' @section Warnings:
#' Class `fatecast_warning_<kind>`, `fatecast_warning`; the kinds are
#' `not_converged`, `disconnected`, `not_symmetric`, `dropped` (cells, genes or
#' an earlier result were left out or overwritten), `replaced_argument`,
#' `single_lineage`, `dense`, `fallback` and `unreliable` (input that supports a
#' result badly).
#'
#' @section Messages:
#' Class `fatecast_message`: progress and choices made.
#'
#' @section Fields:
#' Errors about cells have a field `cells` with their names (or positions,
#' counted from one, when the cells have no names); errors about stored results
#' have a field `key`. Further fields are the numbers named in the message.
#'
#' @examples
#' tryCatch(
#'     parameters(SingleCellExperiment::SingleCellExperiment(), "leiden"),
#'     fatecast_error_missing_key = function(e) e$key
#' )
#' @name fatecast-conditions
NULL

.errorFamilies <- list(
    input = c(
        "shape", "type", "range", "missing_key", "not_stochastic",
        "duplicate_names", "unknown_argument"
    ),
    container = c(
        "container_class", "container_stale", "container_cells",
        "container_key_taken"
    ),
    state = "not_computed",
    numeric = c(
        "not_converged", "singular", "disconnected", "unreachable",
        "no_state"
    ),
    resource = c("memory", "threads", "worker"),
    internal = "internal"
)

.warningKinds <- c(
    "not_converged", "disconnected", "not_symmetric", "dropped",
    "replaced_argument", "single_lineage", "dense", "fallback", "unreliable"
)

# The classes of an error of this kind, most specific first.
.errorClass <- function(kind) {
    holds <- vapply(.errorFamilies, function(k) kind %in% k, logical(1))
    if (!any(holds)) {
        stop("unknown kind of fatecast error: ", kind, call. = FALSE)
    }
    family <- names(.errorFamilies)[holds]
    unique(c(
        paste0("fatecast_error_", c(kind, family)), "fatecast_error"
    ))
}

#' @importFrom rlang abort exec caller_env
.abort <- function(kind, message, advice = NULL, ..., call = caller_env()) {
    class <- .errorClass(kind)
    exec(
        abort,
        message = .bullets(message, advice), class = class,
        call = .blame(call), !!!.conditionFields(...), kind = kind
    )
}

#' @importFrom rlang warn
.warn <- function(kind, message, advice = NULL, ...) {
    if (!kind %in% .warningKinds) {
        stop("unknown kind of fatecast warning: ", kind, call. = FALSE)
    }
    class <- c(paste0("fatecast_warning_", kind), "fatecast_warning")
    exec(
        warn,
        message = .bullets(message, advice), class = class,
        !!!.conditionFields(...), kind = kind
    )
}

#' @importFrom rlang inform
.inform <- function(message) {
    inform(.bullets(message), class = "fatecast_message")
}

# First line plain, further lines as "x" bullets, advice as "i" bullets.
# Names are kept off the input, since rlang reads them as bullet kinds.
.bullets <- function(message, advice = NULL) {
    message <- enc2utf8(as.character(message))
    advice <- enc2utf8(as.character(advice))
    more <- message[-1L]
    names(more) <- rep("x", length(more))
    names(advice) <- rep("i", length(advice))
    c(message[1L], more, advice)
}

# Fields from elsewhere may bear the name of an argument of abort() or warn().
.conditionFields <- function(...) {
    fields <- list(...)
    if (!length(fields)) {
        return(fields)
    }
    taken <- c(
        "kind", "message", "advice", "class", "call", "body", "footer",
        "trace", "parent", "use_cli_format", "rlang"
    )
    clash <- names(fields) %in% taken | startsWith(names(fields), ".")
    names(fields)[clash] <- paste0(names(fields)[clash], "_")
    fields
}

# The frame to name in the message: the nearest function the user could have
# called, walking up from `env` past internal functions (a leading dot).
.blame <- function(env) {
    if (!is.environment(env)) {
        return(env)
    }
    at <- which(vapply(sys.frames(), identical, logical(1), env))
    if (!length(at)) {
        return(env)
    }
    at <- at[length(at)]
    parents <- sys.parents()
    while (at > 0L && .isInternalCall(sys.call(at))) {
        at <- parents[at]
    }
    if (at > 0L) sys.frame(at) else NULL
}

.isInternalCall <- function(call) {
    fn <- call[[1L]]
    if (is.call(fn) && length(fn) == 3L) {
        fn <- fn[[3L]]
    }
    is.symbol(fn) && startsWith(as.character(fn), ".")
}

# Up to `n` names for a message, quoted, escaped and cut to a readable length.
.someNames <- function(x, n = 5L) {
    if (!length(x)) {
        return("none")
    }
    shown <- encodeString(enc2utf8(as.character(utils::head(x, n))))
    long <- nchar(shown) > 60L
    shown[long] <- paste0(substr(shown[long], 1L, 57L), "...")
    text <- paste0("`", shown, "`", collapse = ", ")
    left <- length(x) - length(shown)
    if (left > 0L) paste0(text, " and ", left, " more") else text
}

# "1 cell", "3 cells"
.count <- function(n, noun) {
    paste0(n, " ", noun, if (n != 1) "s")
}

#' @importFrom rlang interrupt
.unwrap <- function(result, advice = NULL, call = caller_env(),
                    cell_names = NULL) {
    if (!inherits(result, "fatecast_failure")) {
        return(result)
    }
    if (identical(result$kind, "interrupted")) {
        interrupt()
    }
    fields <- as.list(result$fields)
    message <- .sentence(result$message)
    if (!is.null(fields$cells)) {
        cells <- as.integer(fields$cells) + 1L
        fields$cells <- if (is.null(cell_names)) cells else cell_names[cells]
        message <- paste0(message, " Cells: ", .someNames(fields$cells), ".")
    }
    kind <- result$kind
    if (!kind %in% unlist(.errorFamilies)) {
        fields$core_kind <- kind
        kind <- "internal"
    }
    if (kind == "internal") {
        advice <- c(advice, paste0(
            "This is a defect of fatecast; please report it with this ",
            "message, fatecast ", .packageVersion(), " and ",
            R.version.string, "."
        ))
    }
    fields <- exec(.conditionFields, !!!fields)
    exec(.abort, kind, message, advice, !!!fields, call = call)
}

.sentence <- function(text) {
    text <- enc2utf8(as.character(text))
    text <- paste0(toupper(substr(text, 1L, 1L)), substring(text, 2L))
    if (grepl("[.!?]$", text)) text else paste0(text, ".")
}

.packageVersion <- function() {
    as.character(getNamespaceVersion("fatecast"))
}

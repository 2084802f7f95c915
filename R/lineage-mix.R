# Columns of a Lineage put together: one lineage per cell, sums of lineages.

#' One lineage per cell, and sums of lineages
#'
#' `pickLineages()` follows one lineage per cell: the value that each cell has
#' for the lineage named for it. `mixLineages()` adds lineages up, giving the
#' probability of any of several fates.
#'
#' @details
#' A key is one lineage or several joined by commas, such as `"Beta, Alpha"`;
#' spaces around the names do not matter. A key that is itself the name of a
#' lineage means that lineage, also with a comma in it. The columns of the
#' members are summed; the result is named by its members in alphabetical order
#' (`"Alpha, Beta"`), and its colour is the mean of their colours in hue,
#' saturation and value. The key `"rest"`, unless a lineage has that name, is
#' the sum of all lineages that no other key names. Lineages that no key names
#' are left out, so rows may sum to less than before.
#'
#' A cell without values (NA) has none in the result. Cost: linear in cells x
#' lineages. Randomness, threads: not applicable. Nothing is stored.
#'
#' @param x A [Lineage()], or an estimator or object with fate probabilities.
#' @param lineages One lineage per cell, by name or position: a character
#'   vector, a factor or whole numbers, in the order of the cells. NA gives NA.
#'   If it has names they must be those of the cells, in order.
#' @param keys Names of lineages, or several of them joined by commas; each
#'   lineage may be named once.
#' @param ... Not used; an unknown argument is an error.
#' @return `pickLineages()`: a `Lineage` with one black column `mixture`.
#'   `mixLineages()`: a `Lineage` with one column per key, in the order of
#'   `keys`.
#' @section Errors:
#' `missing_key` for unknown lineages; `range` for positions outside the
#' matrix; `shape` for another number of lineages than cells, or no keys;
#' `container_cells` for names of other cells; `duplicate_names` for a lineage
#' that is named twice; `type`; `not_computed` for an estimator without fates.
#' @seealso [reduceLineages()] to give the other lineages to those named.
#' @examples
#' fates <- Lineage(matrix(
#'     c(0.7, 0.2, 0.5, 0.2, 0.3, 0.1, 0.1, 0.5, 0.4), 3,
#'     dimnames = list(c("c1", "c2", "c3"), c("Alpha", "Beta", "Delta"))
#' ))
#' mixLineages(fates, c("Beta", "Delta, Alpha"))
#' mixLineages(fates, c("Beta", "rest"))
#' # The fate that is most likely for each cell, and how likely it is.
#' best <- summarizeLineages(fates, "argmax", along = "lineages")
#' pickLineages(fates, as.vector(best))
#' @name mixLineages
#' @include lineage-index.R
#' @export
mixLineages <- function(x, keys, ...) {
    .checkDots(...)
    x <- .asLineage(x)
    .mixed(x, .mixtureMembers(keys, lineageNames(x)))
}

#' @rdname mixLineages
#' @export
pickLineages <- function(x, lineages, ...) {
    .checkDots(...)
    x <- .asLineage(x)
    at <- .lineagePerCell(lineages, x)
    m <- .lineageMatrix(x)
    picked <- matrix(
        m[cbind(seq_len(nrow(m)), at)], ncol = 1L,
        dimnames = list(rownames(m), NULL)
    )
    .newLineage(picked, "mixture", "#000000")
}

# The Lineage a verb is asked about: itself, or the fate probabilities.
.asLineage <- function(x, call = rlang::caller_env()) {
    if (methods::is(x, "Lineage")) {
        return(x)
    }
    if (is.matrix(x) || is.data.frame(x) || methods::is(x, "Matrix")) {
        .abort(
            "type", paste0(
                "`x` must be a Lineage, an estimator or an object with fate ",
                "probabilities, not ", .describe(x), "."
            ), "Give the matrix names and colours with Lineage(x).",
            argument = "x", call = call
        )
    }
    fateProbabilities(x)
}

# Positions of the lineage of each cell.
.lineagePerCell <- function(lineages, x, call = rlang::caller_env()) {
    if (!is.atomic(lineages) || is.logical(lineages) && !all(is.na(lineages))) {
        .badType(
            lineages, "names or positions of lineages, one per cell", FALSE,
            "lineages", call
        )
    }
    if (length(lineages) != nrow(x)) {
        .abort(
            "shape", paste0(
                "`lineages` must name one lineage for each of the ",
                .count(nrow(x), "cell"), ", not ", length(lineages), "."
            ), n_cells = nrow(x), n = length(lineages), call = call
        )
    }
    if (!is.null(names(lineages)) && !is.null(rownames(x))) {
        .checkNames(
            rownames(x), names(lineages), "The lineages and `lineages`",
            call = call
        )
    }
    at <- rep(NA_integer_, nrow(x))
    there <- !is.na(lineages)
    index <- lineages[there]
    if (is.numeric(index) && any(index < 1 | index != round(index))) {
        .abort(
            "range", paste0(
                "`lineages` must be whole numbers from 1 to ", ncol(x), "."
            ), n = ncol(x), call = call
        )
    }
    at[there] <- .lineageIndex(index, ncol(x), colnames(x), "lineage", call)
    at
}

# Members of each key, as a list named by the key's canonical name.
.mixtureMembers <- function(keys, known, call = rlang::caller_env()) {
    if (!is.character(keys) || anyNA(keys)) {
        .badType(keys, "names of lineages", FALSE, "keys", call)
    }
    if (!length(keys)) {
        .abort("shape", "`keys` names no lineage.", argument = "keys",
            call = call
        )
    }
    keys <- enc2utf8(unname(keys))
    members <- lapply(keys, .splitKey, known = known)
    rest <- keys == "rest" & !"rest" %in% known
    named <- unlist(members[!rest])
    .knownLineages(named, all(lengths(members) > 0L), known, call)
    if (any(rest)) {
        left <- setdiff(known, named)
        if (!length(left)) {
            .abort(
                "missing_key", paste(
                    "The key \"rest\" stands for no lineage: the other keys",
                    "name them all."
                ), key = "rest", call = call
            )
        }
        members[rest] <- list(left)
    }
    twice <- unlist(members)
    twice <- unique(twice[duplicated(twice)])
    if (length(twice)) {
        .abort(
            "duplicate_names", paste0(
                "A lineage can be in one key only, but these are named more ",
                "than once: ", .someNames(twice), "."
            ), names = twice, call = call
        )
    }
    names(members) <- vapply(members, paste, "", collapse = ", ")
    names(members)[rest] <- "rest"
    members
}

# The members of one key, sorted whatever the locale. A name that holds a comma
# itself goes before a joint name.
.splitKey <- function(key, known) {
    if (key %in% known) return(key)
    parts <- trimws(strsplit(key, ",", fixed = TRUE)[[1L]])
    sort(parts[nzchar(parts)], method = "radix")
}

.knownLineages <- function(named, filled, known, call) {
    unknown <- setdiff(named, known)
    if (length(unknown) || !filled) {
        .abort(
            "missing_key", if (length(unknown)) {
                paste0("There is no lineage called ", .someNames(unknown), ".")
            } else {
                "A key names no lineage."
            }, c(
                if (length(unknown)) .suggest(unknown[1L], known),
                paste0("The lineages are ", .someNames(known, 20L), ".")
            ), key = unknown, call = call
        )
    }
}

.mixed <- function(x, members) {
    m <- .lineageMatrix(x)
    colors <- lineageColors(x)
    columns <- lapply(members, function(of) {
        rowSums(m[, of, drop = FALSE])
    })
    shades <- vapply(members, function(of) {
        if (length(of) == 1L) colors[[of]] else .mixColors(colors[of])
    }, "")
    values <- matrix(
        unlist(columns, use.names = FALSE), nrow(m),
        dimnames = list(rownames(m), NULL)
    )
    .newLineage(values, names(members), shades)
}

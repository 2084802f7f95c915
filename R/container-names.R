# Names of cells, features and keys, and matching by them.

.validNames <- function(names, n, noun, setter,
                        call = rlang::caller_env()) {
    names <- enc2utf8(as.character(names))
    if (length(names) != n || anyNA(names) || !all(nzchar(names))) {
        .abort(
            "duplicate_names", paste0(
                "The object has no names for some or all of its ",
                .count(n, noun), "."
            ), paste0("Give each ", noun, " its own name with ", setter, "."),
            call = call
        )
    }
    if (anyDuplicated(names)) {
        twice <- unique(names[duplicated(names)])
        .abort(
            "duplicate_names", paste0(
                "The ", noun, " names must be unique, but ", length(twice),
                " occur more than once: ", .someNames(twice), "."
            ),
            paste0("Use ", setter, " with make.unique(), for example."),
            names = twice, call = call
        )
    }
    names
}

.missingKey <- function(what, key, there, advice = NULL,
                        call = rlang::caller_env()) {
    listed <- if (length(there)) {
        paste0("There is ", .someNames(there, 20L), ".")
    } else {
        paste0("The object holds no ", what, " at all.")
    }
    .abort(
        "missing_key", paste0(
            "There is no ", what, " ", .someNames(key), " in the object. ",
            listed
        ), c(.suggest(key[1L], there), advice),
        key = key, available = there, call = call
    )
}

# Picks chosen features of a matrix of features by cells.
.pickFeatures <- function(m, features, assay, call = rlang::caller_env()) {
    if (is.null(features)) {
        return(m)
    }
    features <- as.character(features)
    at <- match(enc2utf8(features), enc2utf8(as.character(rownames(m))))
    if (anyNA(at)) {
        gone <- features[is.na(at)]
        .abort(
            "missing_key", paste0(
                .count(length(gone), "feature"), " not found in the assay ",
                .someNames(assay), ": ", .someNames(gone), "."
            ), .suggest(gone[1L], utils::head(rownames(m), 5000L)),
            key = gone, assay = assay, call = call
        )
    }
    m[at, , drop = FALSE]
}

# The stored name meant by `key`: as given, else with or without "X_", else
# whatever the case.
.findEmbedding <- function(key, there) {
    bare <- sub("^X_", "", key)
    tries <- c(key, paste0("X_", bare), bare)
    hit <- c(
        match(tries, there),
        match(tolower(tries), tolower(there))
    )
    there[hit[!is.na(hit)][1L]]
}

# Order of `found`, the names that a stored result has, in that of `cells`;
# NULL when they agree already.
.matchCells <- function(found, cells, what, call = rlang::caller_env()) {
    found <- enc2utf8(as.character(found))
    if (identical(found, cells)) {
        return(NULL)
    }
    at <- match(cells, found)
    if (anyNA(at)) {
        gone <- cells[is.na(at)]
        .abort(
            "container_cells", paste0(
                what, " lacks ", length(gone), " of the ",
                .count(length(cells), "cell"), " of the object: ",
                .someNames(gone), "."
            ), paste(
                "Cells were renamed or added after it was made: compute it",
                "again, or give the object its earlier cell names."
            ),
            cells = gone, call = call
        )
    }
    at
}

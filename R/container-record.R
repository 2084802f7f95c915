# Records and colours, through the free-form entries of any container.

# The chain's entries nest under one name; those of verbs with `key_added`
# stand at the top. Reading looks at the top first.
.readRecord <- function(x, key) {
    misc <- .readMisc(x)
    record <- misc[[key, exact = TRUE]]
    if (is.null(record)) .nestedOf(misc)[[key, exact = TRUE]] else record
}

# Only a list of entries counts; anything else of that name is not ours.
.nestedOf <- function(misc) {
    nested <- misc[[.nestedSlot, exact = TRUE]]
    if (is.list(nested) && !is.data.frame(nested)) nested else list()
}

.writeRecord <- function(x, key, record, nested = TRUE) {
    key <- enc2utf8(key)
    if (.isRecord(record)) {
        .checkKeyFree(x, key, record$verb)
    }
    misc <- .readMisc(x)
    if (nested) {
        entries <- .nestedOf(misc)
        entries[[key]] <- record
        misc[[.nestedSlot]] <- entries
    } else {
        held <- misc[[key, exact = TRUE]]
        if (!is.null(held) && !.isRecord(held)) {
            .warnForeign(x, key, key, "metadata entry")
        }
        misc[[key]] <- record
    }
    .writeMisc(x, misc)
}

.recordKeys <- function(x) {
    misc <- .readMisc(x)
    entries <- c(misc, .nestedOf(misc))
    is_record <- vapply(entries, .isRecord, logical(1))
    as.character(unique(names(entries)[is_record]))
}

# Colours of the groups in `key`, named by group where the writer named them;
# NULL when there are none. A palette of the user at the top level wins.
.readColors <- function(x, key) {
    colors <- .readRecord(x, .keyColors(key))
    if (is.null(colors)) {
        return(NULL)
    }
    colors <- unlist(colors)
    labels <- names(colors)
    colors <- as.character(colors)
    names(colors) <- labels
    colors
}

.writeColors <- function(x, key, colors, nested = FALSE) {
    .writeRecord(x, .keyColors(key), colors, nested = nested)
}

# Takes away what was written under `keys`, wherever it is, with its record and
# nested colours. Entries of the user under the same names stay.
.removeResults <- function(x, keys) {
    if (.isBareMatrix(x)) {
        .refuseMatrix(x, "cannot hold results")
    }
    .checkContainer(x)
    keys <- as.character(keys)
    keys <- keys[vapply(keys, .isOurs, logical(1), x = x)]
    x <- .dropResults(x, keys)
    misc <- .readMisc(x)
    entries <- .nestedOf(misc)
    if (length(entries)) {
        entries[c(keys, .keyColors(keys))] <- NULL
        misc[[.nestedSlot]] <- if (length(entries)) entries
    }
    top <- vapply(misc, .isRecord, logical(1)) & names(misc) %in% keys
    .writeMisc(x, misc[!top])
}

# What the R programs of several benchmarks share: data, timing, reports.
# Sourced with `folder`, `cells`, `task`, `seed`, `threads`, `output` set.

NEIGHBORS <- 30L

pathTo <- function(name) file.path(folder, name)

readValues <- function(name, what, n, size = NA_integer_) {
    file <- pathTo(sprintf(name, cells))
    readBin(file, what, n, size = size, endian = "little")
}

# A sparse file of values cannot be longer than this many values.
entriesOf <- function(name, width) {
    file.size(pathTo(sprintf(name, cells))) / width
}

readCells <- function(n = cells) {
    x <- readValues("tree_%d.x.f64", "double", n * 50)
    matrix(x, n, 50L, byrow = TRUE)
}

# The exact neighbours without the cell itself: `index` from 1, `distance`.
readKnn <- function() {
    k <- NEIGHBORS - 1L
    index <- readValues("knn_%d.idx.u32", "integer", cells * k)
    far <- readValues("knn_%d.dist.f32", "double", cells * k, 4L)
    list(
        index = matrix(index + 1L, cells, k, byrow = TRUE),
        distance = matrix(far, cells, k, byrow = TRUE)
    )
}

# Symmetric, so that compressed rows are compressed columns.
readGraph <- function() {
    entries <- entriesOf("graph_%d.data.f64", 8)
    offsets <- readValues("graph_%d.indptr.u64", "integer", 2 * (cells + 1))
    methods::new(
        "dgCMatrix",
        p = offsets[c(TRUE, FALSE)],
        i = readValues("graph_%d.indices.u32", "integer", entries),
        x = readValues("graph_%d.data.f64", "double", entries),
        Dim = c(cells, cells)
    )
}

readBranch <- function() {
    factor(readValues("tree_%d.branch.i32", "integer", cells))
}

readStart <- function() {
    x <- readValues("start_%d.f64", "double", 2 * cells)
    matrix(x, cells, 2L, byrow = TRUE)
}

report <- function(program, task, measure, value) {
    cat(
        paste(
            program, task, cells, seed, measure, format(value, digits = 9),
            sep = "\t"
        ),
        file = output, sep = "\n", append = TRUE
    )
}

# Modularity of labels from 0 in a symmetric graph.
modularityOf <- function(graph, labels) {
    strength <- Matrix::colSums(graph)
    head <- rep(seq_len(cells), diff(graph@p))
    inside <- labels[head] == labels[graph@i + 1L]
    share <- tapply(strength, labels, sum) / sum(strength)
    sum(graph@x[inside]) / sum(strength) - sum(share^2)
}

integers <- function(x) {
    storage.mode(x) <- "integer"
    x
}

# What was computed, cells in rows, for quality.py.
save <- function(program, name, x, size = 8L) {
    file <- pathTo(sprintf("%s_%d.%s.%d.bin", name, cells, program, seed))
    values <- if (is.matrix(x)) as.vector(t(x)) else x
    writeBin(values, file, size = size, endian = "little")
}

# A field of the process's status in MiB, where the system tells (Linux).
memory <- function(field) {
    status <- "/proc/self/status"
    if (!file.exists(status)) {
        return(NA_real_)
    }
    line <- grep(paste0("^", field), readLines(status), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
}

# Lets VmHWM start again from what is resident now, where the system can.
resetPeak <- function() {
    try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE)
    invisible()
}

# Evaluates `value`, reporting its seconds and the memory of the process.
measured <- function(program, task, value, what = "") {
    invisible(gc())
    resetPeak()
    before <- memory("VmRSS")
    times <- system.time(force(value))
    peak <- memory("VmHWM")
    found <- c(
        "seconds" = times[["elapsed"]],
        "CPU seconds" = sum(times[c("user.self", "sys.self")]),
        "peak memory (MiB)" = peak,
        "peak above the start (MiB)" = peak - before
    )
    for (name in names(found)) {
        report(program, task, paste0(what, name), found[[name]])
    }
    value
}

cellRows <- function(name, width, n) {
    matrix(readValues(name, "double", n * width), n, width, byrow = TRUE)
}

# A row of this package about the task at hand.
note <- function(measure, value) report("fatecast", task, measure, value)

# Seconds and memory of `call(make())`; `make` counts in "whole" only.
timed <- function(call, make) {
    invisible(gc())
    resetPeak()
    before <- memory("VmRSS")
    built <- system.time(made <- make())[["elapsed"]]
    spent <- system.time(value <- call(made))
    peak <- memory("VmHWM")
    invisible(gc())
    note("seconds", spent[["elapsed"]])
    note("whole, seconds", built + spent[["elapsed"]])
    note("CPU seconds", sum(spent[c("user.self", "sys.self")]))
    note("peak memory (MiB)", peak)
    note("peak above the start (MiB)", peak - before)
    note("left above the start (MiB)", memory("VmRSS") - before)
    value
}

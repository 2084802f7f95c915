exampleCoupling <- function(sparse = FALSE) {
    m <- matrix(c(0.9, 0, 0.2, 0.1, 0.8, 0), 2, dimnames = list(
        c("a", "b"), c("c", "d", "e")
    ))
    if (sparse) .asGeneral(m) else m
}

# A file as anndata writes it; `layout` is dense, csr, csc or legacy.
writeH5AD <- function(file, m, layout = "dense", growth = NULL) {
    rhdf5::h5createFile(file)
    handle <- rhdf5::H5Fopen(file)
    on.exit(rhdf5::H5Fclose(handle))
    attach <- function(path, values) {
        object <- rhdf5::H5Oopen(handle, path)
        on.exit(rhdf5::H5Oclose(object))
        for (name in names(values)) {
            rhdf5::h5writeAttribute(values[[name]], object, name)
        }
    }
    if (layout %in% c("dense", "legacy")) {
        rhdf5::h5write(unname(t(m)), handle, "X")
    } else {
        by <- if (layout == "csr") t(m) else m
        by <- .asGeneral(by)
        rhdf5::h5createGroup(handle, "X")
        rhdf5::h5write(by@x, handle, "X/data")
        rhdf5::h5write(by@i, handle, "X/indices")
        rhdf5::h5write(by@p, handle, "X/indptr")
        attach("X", list(
            "encoding-type" = paste0(layout, "_matrix"), shape = dim(m)
        ))
    }
    for (side in 1:2) {
        key <- c("obs", "var")[side]
        index <- dimnames(m)[[side]]
        if (layout == "legacy") {
            table <- data.frame(index = index)
            if (side == 1L && length(growth)) table <- cbind(table, growth)
            rhdf5::h5write(table, handle, key)
        } else {
            rhdf5::h5createGroup(handle, key)
            rhdf5::h5write(index, handle, paste0(key, "/names"))
            attach(key, list("_index" = "names"))
            for (g in if (side == 1L) names(growth)) {
                rhdf5::h5write(growth[[g]], handle, paste0(key, "/", g))
            }
        }
    }
}

test_that("a list of matrices becomes couplings", {
    m <- exampleCoupling()
    found <- readCouplings(list("day_0_1" = m, "1_2" = .asGeneral(m)))
    expect_s3_class(found, "fatecast_couplings")
    expect_identical(names(found), c("0_1", "1_2"))
    expect_identical(
        attr(found, "pairs"),
        data.frame(source = c("0", "1"), target = c("1", "2"))
    )
    expect_identical(found[[1]], m)
    expect_s4_class(found[[2]], "dgCMatrix")
    expect_null(attr(found, "growth"))
    named <- readCouplings(
        list(m), pairs = data.frame(source = "t_0", target = "t_1")
    )
    expect_identical(names(named), "t_0_t_1")
    expect_output(print(named), "1 coupling of time points")
    # What was read or computed is read again as it is.
    again <- readCouplings(named)
    expect_identical(again, named)
})

test_that("folders of files are read in every layout", {
    skip_if_not_installed("rhdf5")
    m <- exampleCoupling()
    growth <- data.frame(g0 = c(1, 2), g1 = c(1.5, 0.5))
    for (layout in c("dense", "csr", "csc", "legacy")) {
        folder <- withr::local_tempdir()
        writeH5AD(file.path(folder, "tmaps_0.0_1.0.h5ad"), m, layout, growth)
        writeH5AD(file.path(folder, "tmaps_1.0_2.5.h5ad"), m, layout)
        found <- readCouplings(folder, levels = c("0", "1", "2.5"))
        expect_identical(names(found), c("0_1", "1_2.5"))
        expect_identical(
            methods::is(found[[1]], "dgCMatrix"), layout %in% c("csr", "csc")
        )
        expect_equal(as.matrix(found[[1]]), m)
        expect_equal(
            attr(found, "growth")[["0_1"]],
            as.matrix(data.frame(growth, row.names = c("a", "b")))
        )
        expect_null(attr(found, "growth")[["1_2.5"]])
    }
    one <- readCouplings(file.path(folder, "tmaps_1.0_2.5.h5ad"))
    expect_identical(names(one), "1.0_2.5")
})

test_that("couplings that cannot be used are refused", {
    m <- exampleCoupling()
    expectFailure(readCouplings(list(m)), "missing_key")
    expectFailure(readCouplings(list(one = m)), "missing_key",
        list(key = "one"))
    expectFailure(readCouplings(list("0_1" = m), levels = "5"), "missing_key",
        list(key = c("0")))
    expectFailure(readCouplings(list("0_1" = m, "x_0_1" = m)),
        "duplicate_names", list(names = "0_1"))
    expectFailure(readCouplings(list("0_1" = replace(m, 1, -1))), "range",
        list(count = 1L))
    expectFailure(readCouplings(list("0_1" = replace(m, 1, NA))), "range")
    expectFailure(readCouplings(list("0_1" = "m")), "type")
    expectFailure(readCouplings(m), "type")
    expectFailure(readCouplings(list("0_1" = m), pairs = cbind(1:2, 1:2)),
        "shape")
    twice <- m
    rownames(twice) <- c("a", "a")
    expectFailure(readCouplings(list("0_1" = twice)), "duplicate_names",
        list(names = "a"))
    folder <- withr::local_tempdir()
    expectFailure(readCouplings(folder), "missing_key", list(key = folder))
    skip_if_not_installed("rhdf5")
    file <- file.path(folder, "a_0_1.h5ad")
    rhdf5::h5createFile(file)
    expectFailure(readCouplings(folder), "missing_key", list(key = "X"))
})

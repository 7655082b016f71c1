# RcppML at the other end of a pipe: `rcppml.py` asks, this answers. Arguments: the folder of the problems as Matrix
# Market files, how many there are, and the number of components. Questions, one a line:
#   loss TOL      half the squared distance that every problem ends at
#   time TOL N    seconds of the clock and of the processor that N fits of every problem take
suppressPackageStartupMessages({
  library(Matrix)
  library(RcppML)
})
setRcppMLthreads(1)
told <- commandArgs(trailingOnly = TRUE)
k <- as.integer(told[3])
problems <- lapply(seq_len(as.integer(told[2])) - 1, function(i) {
  as(as(as(readMM(file.path(told[1], paste0(i, ".mtx"))), "dMatrix"), "generalMatrix"), "CsparseMatrix")
})
fit <- function(A, tol) nmf(A, k, tol = tol, maxit = 20000L, verbose = FALSE, seed = 1L)
distance <- function(A, model) {
  rest <- as.matrix(A) - model$w %*% (model$d * model$h)
  0.5 * sum(rest^2)
}
answer <- function(x) {
  cat(format(x, digits = 15), "\n")
  flush(stdout())
}
answer(as.character(packageVersion("RcppML")))
input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) {
  asked <- strsplit(line, " ")[[1]]
  tol <- as.numeric(asked[2])
  if (asked[1] == "loss") {
    answer(sapply(problems, function(A) distance(A, fit(A, tol))))
  } else {
    number <- as.integer(asked[3])
    found <- sapply(problems, function(A) {
      before <- proc.time()
      start <- Sys.time()
      for (i in seq_len(number)) fit(A, tol)
      clock <- as.numeric(Sys.time() - start, units = "secs")
      spent <- proc.time() - before
      c(clock, spent[["user.self"]] + spent[["sys.self"]])
    })
    answer(as.vector(found))
  }
}

# CPU seconds, medians of five, of R on the tables that bench/science.py wrote: one line "task seconds" each, "-" where a package is absent.
f <- commandArgs(TRUE)[1]
cpu <- function(e) median(replicate(5, { t <- proc.time(); e(); sum((proc.time() - t)[1:2]) }))
say <- function(task, package, e) {
  ok <- suppressWarnings(suppressMessages(require(package, character.only = TRUE, quietly = TRUE)))
  cat(task, if (ok) e() else "-", "\n")
}
read <- function(name) as.matrix(read.csv(file.path(f, name)))
m <- read.csv(file.path(f, "m.csv"))

path <- function(z, t) glmnet(z, m$y, family = "binomial", thresh = t, maxit = 1e7)
cv <- function(z, l, t) cv.glmnet(z, m$y, family = "binomial", lambda = l, foldid = m$fold, thresh = t, maxit = 1e7)
for (block in c("CT", "COM")) {
  z <- read(paste0(block, ".csv"))
  for (t in c(1e-14, 1e-7)) {
    exact <- if (t == 1e-14) "" else "_default"
    if (block == "COM") say(paste0("path", exact), "glmnet", function() cpu(function() path(z, t)))
    say(paste0("cv_", block, exact), "glmnet", function() { l <- path(z, 1e-14)$lambda; cpu(function() cv(z, l, t)) })
  }
}
x <- read("x.csv")
say("correlation_filter", "caret", function() cpu(function() findCorrelation(cor(x), 0.9, exact = TRUE)))
for (n in c("100000", "192")) {
  s <- read.csv(file.path(f, paste0("roc", n, ".csv")))
  times <- if (n == "192") 50 else 1
  one <- function() for (i in seq_len(times)) {
    a <- roc(s$y, s$a, levels = c(0, 1), direction = "<"); b <- roc(s$y, s$b, levels = c(0, 1), direction = "<")
    roc.test(a, b, method = "delong", paired = TRUE)
  }
  say(paste0("delong_", n), "pROC", function() cpu(one) / times)
}
r <- read.csv(file.path(f, "mrmc.csv"))
say("mrmc", "MRMCaov", function() cpu(function() summary(mrmc(empirical_auc(truth, rating), treatment, reader, case, data = r))))

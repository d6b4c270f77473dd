"""The fixed vocabulary of flags, each as the sentence that stands beside its figure."""

from collections.abc import Mapping
from types import MappingProxyType

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "kkt_not_met": "The solution misses its optimality certificate; do not use it.",
        "lambda_at_path_end": "The chosen lambda is the last of the path: a longer path might choose another.",
        "empty_selection": "No feature was selected: the model is its intercept only.",
        "not_converged": "The solver stopped early; its coefficients are approximate.",
        "separated": "The classes are separated by the features; maximum likelihood has no finite answer.",
        "separation_firth": "The classes are separated; the coefficients are Firth's penalised ones.",
        "refit_impossible": "The refit was not possible; the shrunken LASSO coefficients are used.",
        "epv_low": "Fewer than 10 events per selected feature: expect the fit to be optimistic.",
        "apparent": "Apparent: the model was fitted on patients of these rows, so the figures flatter it.",
        "threshold_apparent": "The threshold was chosen on the training predictions.",
        "threshold_from_test": "The threshold was chosen on the evaluation set.",
        "threshold_default": "No finite threshold was optimal; 0.5 is used.",
        "selection_unstable": "A selected feature was chosen in fewer than half of the bootstrap resamples.",
        "folds_unchecked": "The folds were not checked for patients in two folds.",
        "slope_out_of_range": "The calibration slope lies outside 0.8–1.2.",
        "clusters_ignored": "Patients repeat, but this method treats lesions as independent.",
        "few_clusters": "Fewer than 30 patients: the clustered interval is uncertain.",
        "zero_variance": "The variance is zero; the interval or test does not follow the usual formula.",
        "degenerate_interval_binomial": "An exact binomial interval is shown instead.",
        "limits_undefined": "The formula of the interval does not hold for these data; no limits are given.",
        "below_half": "An AUC lies below .5; the direction is never flipped.",
        "binary_score": "A score has two values only: one operating point against a curve.",
        "few_cases": "Fewer than 10 lesions in a class.",
        "correlation_extreme": "The two AUCs correlate above .95: the difference rests on very few lesions.",
        "few_readers": "2 readers: conclusions hold for these readers only.",
        "negative_variance_component": "A variance component came out negative and is shown as it is.",
        "unbiased_negative": "The unbiased covariance gave a variance that cannot be; DeLong's is used.",
        "cases_dropped": "Cases that not every reader read were left out.",
        "rows_dropped": "Rows with missing values were left out.",
        "ratings_missing": "Some ratings are missing.",
        "kappa_paradox": "High agreement with a low kappa: look at AC1 and PABAK beside it.",
        "weights_without_effect": "Weights change nothing with two categories.",
        "degenerate_margins": "A reader used one category only.",
        "test_looked_n": "The validation part was evaluated more than once.",
        "prevalence_differs": "Predictive values hold for the prevalence of this cohort, set by enrolment.",
        "fisher_monte_carlo": "The exact test was approximated by 100,000 random tables.",
        "empty_category": "An empty category was left out.",
        "single_category": "Only one category occurs; there is nothing to compare.",
        "probability_clipped": "Probabilities of 0 or 1 were moved by 1e-10 for the calibration fit.",
        "resamples_failed": "More than 5 % of the bootstrap resamples could not be fitted.",
    }
)

"""Forms of the truth pages: they parse, the verbs decide."""

from typing import Any

from django import forms

from portal.study.splitting import FACTORS
from portal.truth.models import ReferenceStandard


class StandardForm(forms.Form):
    diagnosis = forms.ChoiceField(choices=ReferenceStandard.Diagnosis.choices)
    subtype = forms.CharField(max_length=60, required=False)
    method = forms.ChoiceField(choices=ReferenceStandard.Method.choices)
    determined_on = forms.DateField(
        required=False, widget=forms.DateInput(attrs={"type": "date"}), label="Determined on"
    )
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    reason = forms.CharField(
        required=False,
        help_text="Why an earlier standard changes; the earlier one stays on record.",
    )


class SplitForm(forms.Form):
    ratio = forms.FloatField(
        min_value=0.01, max_value=0.99, initial=0.7, label="Share for training",
        help_text="Counted in lesions; 0.7 for 7:3.",
    )  # fmt: skip
    seed = forms.IntegerField(min_value=0, max_value=2**63 - 1, initial=1)
    factors = forms.MultipleChoiceField(
        required=False,
        choices=[(f, f.replace("_", " ")) for f in FACTORS],
        widget=forms.CheckboxSelectMultiple,
        label="Further factors",
    )

    def parameters(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("ratio", "seed", "factors")}

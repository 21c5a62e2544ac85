"""Whether verdicts may be believed: made-up fleets whose truth is known, judged as the product judges.

    make verdicts                                     # or: python -m benchmarks.verdicts --customers 4000 --seed 7

`parameters` says what senders are like, with sources; `mail` makes their mail, `looks` what windows hold of it at each
look. `product` judges by the product's own functions, `rivals` by what it did at commit 1006786, by the thresholds that
Amazon SES documents, and by a CUSUM. `good`, `bad` and `steady` are the questions asked.
"""

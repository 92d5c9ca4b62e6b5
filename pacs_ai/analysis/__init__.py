"""From the files of a study to its prediction and its results. No database, no network.

`pacs_ai.analysis.study.analyse_study` is the way in: the node's `pacs_ai.flow.analyse` and
``pacs-ai infer`` both call it. They differ in where the files come from and where results go.
"""

"""Pure statistics: profiles that merge, distances, tests and verdicts. Nothing here knows of tables or files.

Day by day: `bins.freeze_bins` once with the baseline, `profiles.profile_frame` for each day, `profile_json` to keep both,
`merging.merge` for a window of days, `verdicts.compare` for two windows, `verdicts.drift_score` for the table.
Two whole frames at once: `exact.compare_frames`. For people: `summaries`.
"""

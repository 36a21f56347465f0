"""Agreement, style bias, severity and ranking: tables in, scores and pages out."""

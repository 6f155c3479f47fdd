"""The pages: each fetches documents, hands them to its view model and draws; no rule about SLOs lives here."""

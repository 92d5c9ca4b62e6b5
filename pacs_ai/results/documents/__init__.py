"""Reports for people and for other systems: PDF page, HL7 message, FHIR bundle."""

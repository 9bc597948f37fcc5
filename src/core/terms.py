TERMS_VERSION = 1
"""The version of the terms in force: what artists affirm about their images, and what each licence permits.

A changed text is a new version. Those of earlier versions are kept with the messages, because images stay under the
terms they were made under.
"""

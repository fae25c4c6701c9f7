"""Settings: types, sections, the context they are read from, the sentence that refuses a wrong one."""

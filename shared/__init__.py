"""The voice agent, free of any hosting: calls, agent, tools, state and the parts they share."""

"""What schemathesis cannot know of Marquee: who pays, what is in the post, and which of its alarms are false."""

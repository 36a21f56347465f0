"""What models say of paintings: works shown, questions asked, answers kept, facts checked."""

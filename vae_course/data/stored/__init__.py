"""Pictures from files: public sets, folders, .npz archives."""

namespace Rcmp.Regions;

/// <summary>What every row of a frame table fulfils, whenever its daemon was killed.</summary>
internal static class RowRules
{
    /// <summary>What is wrong with the row, or null.</summary>
    public static string? Violation(in FrameRow row, PageGeometry geometry)
    {
        if (row.State > RowState.Incoming)
            return $"state {(int)row.State} does not exist";
        if (row.State == RowState.Free)
            return row.Unsettled || row.SessionScoped ? "a free row has flags of a resident one" : null;
        if (!IsPage(row.Page, geometry))
            return $"a {row.State.ToString().ToLowerInvariant()} row names no page ({row.Page})";
        if (row.Unsettled && row.State != RowState.Resident)
            return $"a {row.State.ToString().ToLowerInvariant()} row is unsettled";
        if (row.State is RowState.Leaving or RowState.Incoming && (row.Peer.IsNone || row.Peer.Value > RackId.Max || row.Attempt == default))
            return $"a {row.State.ToString().ToLowerInvariant()} row names no attempt or rack (attempt {row.Attempt}, rack {row.Peer})";
        return null;
    }

    public static bool IsPage(PageId page, PageGeometry geometry) =>
        page.Value >> (geometry.SequenceBits + 12) == 0 && !geometry.BirthRackOf(page).IsNone && geometry.SequenceOf(page) != 0;
}

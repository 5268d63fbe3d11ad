using Rcmp.Protocol;

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

    /// <summary>What is wrong if the row's page was born here, with a sequence that has not been given out: the next allocations would make it a second time.</summary>
    public static string? BornTooEarly(in FrameRow row, SuperblockState state, PageGeometry geometry) =>
        row.State != RowState.Free && geometry.BirthRackOf(row.Page) == state.Rack && geometry.SequenceOf(row.Page) >= state.SequenceReserved
            ? $"page {row.Page} was born here, but sequences are given out below {state.SequenceReserved} only"
            : null;

    public static bool IsPage(PageId page, PageGeometry geometry) =>
        page.Value >> (geometry.SequenceBits + 12) == 0 && !geometry.BirthRackOf(page).IsNone && geometry.SequenceOf(page) != 0;
}

using Rcmp.Hosts.Linearizability;

namespace Rcmp.Hosts.Simulation;

/// <summary>What clients did and saw. Its clock counts calls and answers.</summary>
internal sealed class SimHistory
{
    private readonly List<WordEvent> _events = [];
    private readonly HashSet<int> _refused = [];
    private readonly HashSet<ulong> _left = [];
    private long _clock;

    public int Count => _events.Count;

    public int Invoke(SimClient client, SimAccess access)
    {
        _events.Add(new WordEvent(
            KeyOf(access.Page, access.Word), (int)client.Number, access.Kind, access.Argument, access.Comparand, 0, ++_clock, WordEvent.Unknown));
        return _events.Count - 1;
    }

    public void Return(int entry, ulong result) => _events[entry] = _events[entry] with { Result = result, Returned = ++_clock };

    /// <summary>It certainly had no effect.</summary>
    public void Refuse(int entry) => _refused.Add(entry);

    /// <summary>The page's contents may go back to what they were, or its id was used again.</summary>
    public void LeaveOut(PageId page)
    {
        for (var word = 0; word < SimStore.FrameWords; word++) _left.Add(KeyOf(page, word));
    }

    public LinearizabilityResult Check() => LinearizabilityChecker.Check(_events.Where((e, i) => !_refused.Contains(i) && !_left.Contains(e.Key)));

    public static PageId PageOf(ulong key) => new(key / SimStore.FrameWords);

    private static ulong KeyOf(PageId page, int word) => (page.Value * SimStore.FrameWords) + (ulong)word;
}

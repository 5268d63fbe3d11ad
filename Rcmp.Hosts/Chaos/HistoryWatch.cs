using Rcmp.Hosts.Linearizability;

namespace Rcmp.Hosts.Chaos;

/// <summary>Judges the recorded histories of windows that all clients have left, while the run goes on. What passes is deleted; what does not is kept in one file.</summary>
/// <param name="plan">The words.</param>
/// <param name="journals">Of all clients.</param>
/// <param name="evidence">Prefix of the files that are kept.</param>
/// <param name="violation">Hears of a history that is not linearizable.</param>
internal sealed class HistoryWatch(HistoryPlan plan, IReadOnlyList<ChaosJournal> journals, string evidence, Action<string> violation)
{
    // Of one word. A million states take a tenth of a gigabyte; a history of a window takes some thousands.
    private const long StatesMax = 4_000_000;

    private long _next;

    /// <summary>Histories that were judged, of a word each.</summary>
    public long Histories { get; private set; }

    public long Operations { get; private set; }

    /// <summary>Those of them without an answer.</summary>
    public long Unknown { get; private set; }

    /// <summary>The windows that all clients have left.</summary>
    public void Look()
    {
        for (var complete = journals.Min(j => j.HistoryWindow); _next < complete; _next++) Judge(_next);
    }

    /// <summary>Whatever is left, when no client runs any more.</summary>
    public void Finish()
    {
        for (var last = journals.Max(j => j.HistoryWindow); _next <= last; _next++) Judge(_next);
    }

    private void Judge(long window)
    {
        var files = plan.FilesOf(window);
        var history = HistoryRecorder.Load(files);
        foreach (var word in history.GroupBy(e => e.Key))
        {
            var result = LinearizabilityChecker.Check(word, statesMax: StatesMax);
            Histories++;
            if (result.Verdict != LinearizabilityVerdict.Linearizable) violation(Describe(result, window, Keep(window, files)));
        }
        Operations += history.Count;
        Unknown += history.Count(e => e.IsUnknown);
        foreach (var file in files) File.Delete(file);
    }

    private static string Describe(LinearizabilityResult result, long window, string kept)
    {
        var what = result.Verdict == LinearizabilityVerdict.Undecided ? $"could not be judged within {StatesMax} states" : "is not linearizable";
        return $"the history of word {new GAddr(result.Key)} in window {window} {what}: {result.Explanation}; all of the window is in {kept}";
    }

    private string Keep(long window, string[] files)
    {
        var path = FormattableString.Invariant($"{evidence}-history-{window}.txt");
        File.WriteAllLines(path, files.SelectMany(WholeLines));
        return path;
    }

    /// <summary>Without a line that was cut off by the end of its process.</summary>
    private static IEnumerable<string> WholeLines(string path)
    {
        var text = File.ReadAllText(path);
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}

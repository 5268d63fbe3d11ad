using System.Globalization;

namespace Rcmp.Hosts.Linearizability;

/// <summary>Is there an order of the operations in which each has the result it had, and none comes before one that had ended when it began? Wing and Gong's search with Lowe's
/// memory of the states that were left, word by word (linearizability is local).</summary>
/// <remarks>What keeps it fast: an operation that fits and by its result changes nothing is taken at once, without going back over it, since it can always be moved to the front.
/// Operations whose outcome is unknown are tried last, only where they change something, and not where the next one overwrites it unseen: one that never takes effect is one that
/// takes effect after all others.</remarks>
internal static class LinearizabilityChecker
{
    public const long StatesMax = 20_000_000;

    /// <param name="history">In any order.</param>
    /// <param name="initial">The value of a word before the history; 0 if not given.</param>
    /// <param name="statesMax">When to give up on a word.</param>
    public static LinearizabilityResult Check(IEnumerable<WordEvent> history, Func<ulong, ulong>? initial = null, long statesMax = StatesMax)
    {
        long operations = 0;
        long states = 0;
        foreach (var word in history.GroupBy(e => e.Key))
        {
            var search = new WordSearch([.. word], initial?.Invoke(word.Key) ?? 0, statesMax);
            var verdict = search.Run();
            operations += search.Operations;
            states += search.States;
            if (verdict != LinearizabilityVerdict.Linearizable)
                return new LinearizabilityResult(verdict, word.Key, search.Explain(), operations, states);
        }

        return new LinearizabilityResult(LinearizabilityVerdict.Linearizable, 0, "", operations, states);
    }

    private sealed class WordSearch
    {
        private readonly WordEvent[] _known;
        private readonly WordEvent[] _unknown;
        private readonly UInt128[] _knownNames;
        private readonly UInt128[] _unknownNames;
        private readonly bool[] _knownDone;
        private readonly bool[] _unknownDone;
        private readonly HashSet<(UInt128 Done, ulong Value, bool Unseen)> _seen = [];
        private readonly Stack<Choice> _choices = new();
        private readonly List<int> _deepest = [];
        private readonly long _statesMax;
        private readonly ulong _initial;
        private ulong _value;
        private ulong _deepestValue;
        private UInt128 _done;
        private bool _unseen;
        private int _low;
        private int _doneCount;
        private int _deepestCount = -1;

        public WordSearch(WordEvent[] events, ulong initial, long statesMax)
        {
            // A read without an answer says nothing.
            _known = [.. events.Where(e => !e.IsUnknown).OrderBy(e => e.Invoked)];
            _unknown = [.. events.Where(e => e.IsUnknown && e.Operation != WordOperation.Read).OrderBy(e => e.Invoked)];
            var random = new Random(20_26);
            _knownNames = [.. _known.Select(_ => Name(random))];
            _unknownNames = [.. _unknown.Select(_ => Name(random))];
            _knownDone = new bool[_known.Length];
            _unknownDone = new bool[_unknown.Length];
            _value = _initial = initial;
            _statesMax = statesMax;
            Operations = events.Length;
        }

        /// <summary>An operation that was put next, and what to try if it was wrong.</summary>
        /// <param name="Index">Of the operation; unknown ones count on after the known ones.</param>
        /// <param name="Before">The value before it.</param>
        /// <param name="Unseen">Whether the value before it was the work of an unknown operation, and is not seen yet.</param>
        /// <param name="Forced">There is no need to try another in its place.</param>
        private readonly record struct Choice(int Index, ulong Before, bool Unseen, bool Forced);

        public long Operations { get; }

        public long States { get; private set; }

        public LinearizabilityVerdict Run()
        {
            var from = 0;
            while (_doneCount < _known.Length)
            {
                if (++States > _statesMax) return LinearizabilityVerdict.Undecided;
                var next = from == 0 && TryFindFree(out var free) ? new Choice(free, _value, _unseen, true) : FindNext(from);
                if (next.Index >= 0)
                {
                    Do(next);
                    from = 0;
                    continue;
                }

                Remember();
                do
                {
                    if (!_choices.TryPop(out next)) return LinearizabilityVerdict.NotLinearizable;
                    Undo(next);
                }
                while (next.Forced);
                from = next.Index + 1;
            }

            return LinearizabilityVerdict.Linearizable;
        }

        public string Explain()
        {
            var stuck = string.Join("; ", _deepest.Take(8).Select(i => _known[i].ToString()));
            return string.Create(
                CultureInfo.InvariantCulture,
                $"of {_known.Length} operations with an answer and {_unknown.Length} without, begun at {_initial}, at most {Math.Max(0, _deepestCount)} can be put into an order; "
                + $"the word is {_deepestValue} then, and none of these fits: {stuck}");
        }

        private static UInt128 Name(Random random) => new((ulong)random.NextInt64(long.MinValue, long.MaxValue), (ulong)random.NextInt64(long.MinValue, long.MaxValue));

        /// <summary>The first end among the operations that are not in the order yet: whatever began after it must wait.</summary>
        private long Horizon()
        {
            var first = long.MaxValue;
            for (var i = _low; i < _known.Length && _known[i].Invoked <= first; i++)
            {
                if (!_knownDone[i]) first = long.Min(first, _known[i].Returned);
            }

            return first;
        }

        private bool TryFindFree(out int index)
        {
            var horizon = Horizon();
            for (index = _low; index < _known.Length && _known[index].Invoked <= horizon; index++)
            {
                if (!_knownDone[index] && _known[index].Operation != WordOperation.Write && _known[index].Result == _value && _known[index].Apply(_value) == _value) return true;
            }

            return false;
        }

        private Choice FindNext(int from)
        {
            var horizon = Horizon();
            for (var i = int.Max(from, _low); i < _known.Length && _known[i].Invoked <= horizon; i++)
            {
                if (_knownDone[i] || !_known[i].Fits(_value) || (_unseen && _known[i].Operation == WordOperation.Write)) continue;
                if (IsNew(_knownNames[i], _known[i])) return new Choice(i, _value, _unseen, false);
            }

            for (var i = int.Max(0, from - _known.Length); i < _unknown.Length && _unknown[i].Invoked <= horizon; i++)
            {
                if (_unknownDone[i] || _unknown[i].Apply(_value) == _value) continue;
                if (_unseen && _unknown[i].Operation is WordOperation.Write or WordOperation.Exchange) continue;
                if (IsNew(_unknownNames[i], _unknown[i])) return new Choice(_known.Length + i, _value, _unseen, false);
            }

            return new Choice(-1, 0, false, false);
        }

        private bool IsNew(UInt128 name, in WordEvent operation) => _seen.Add((_done ^ name, operation.Apply(_value), operation.IsUnknown));

        private void Do(in Choice choice)
        {
            _choices.Push(choice);
            _unseen = choice.Index >= _known.Length;
            if (choice.Index < _known.Length)
            {
                _value = _known[choice.Index].Apply(_value);
                _knownDone[choice.Index] = true;
                _done ^= _knownNames[choice.Index];
                _doneCount++;
                while (_low < _known.Length && _knownDone[_low]) _low++;
            }
            else
            {
                var unknown = choice.Index - _known.Length;
                _value = _unknown[unknown].Apply(_value);
                _unknownDone[unknown] = true;
                _done ^= _unknownNames[unknown];
            }
        }

        private void Undo(in Choice choice)
        {
            (_value, _unseen) = (choice.Before, choice.Unseen);
            if (choice.Index < _known.Length)
            {
                _knownDone[choice.Index] = false;
                _done ^= _knownNames[choice.Index];
                _doneCount--;
                _low = int.Min(_low, choice.Index);
            }
            else
            {
                _unknownDone[choice.Index - _known.Length] = false;
                _done ^= _unknownNames[choice.Index - _known.Length];
            }
        }

        private void Remember()
        {
            if (_doneCount <= _deepestCount) return;
            _deepestCount = _doneCount;
            _deepestValue = _value;
            _deepest.Clear();
            var horizon = Horizon();
            for (var i = _low; i < _known.Length && _known[i].Invoked <= horizon; i++)
            {
                if (!_knownDone[i]) _deepest.Add(i);
            }
        }
    }
}
